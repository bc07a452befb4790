"""Composition of the config outside Hydra's own main, and messages for what it refuses."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from sightline.cluster.run_name import run_name
from sightline.config.checks import check
from sightline.config.components import type_of
from sightline.config.effects import check_effects
from sightline.config.schema import Job, TrainConfig
from sightline.config.words import quote_overrides, quoted
from sightline.errors import UserError, did_you_mean
from sightline.paths import conf_dir, config_folders, project_root, sweep_name

# Values that Hydra reads as something other than the name of an option.
NO_OPTION = re.compile(r"|null|true|false|[-+.]?\d[\d._eE+-]*", re.IGNORECASE)


def explain(error: Exception, arguments: list[str]) -> str:
    """One message for an error of Hydra or OmegaConf, with the nearest real name where one is."""
    text = str(error).strip()
    if isinstance(error, OverrideParseException):
        key, _, value = str(error.override).partition("=")
        text = shlex.quote(f"{key}={quoted(value)}")
        return (
            f"Cannot read the override {error.override!r}: expected KEY=VALUE or GROUP=OPTION."
            + (f" Where the value is text, put it in quotes: {text}." if value else "")
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        # Of a group of which several are picked, Hydra does not name them.
        options = sorted(error.options or list_groups(arguments).get(group, []))
        hint = did_you_mean(option, options)
        return (
            f"{group}={option}: no such option.{hint} The options of {group}: {', '.join(options)}."
        )
    unknown = re.search(r"Could not override '([^']+)'", text) or re.search(
        r"Could not delete from config\. '([^']+)'", text
    )
    if unknown:
        key = unknown[1]
        hint = did_you_mean(key, _known_names(arguments))
        return f"Unknown key {key!r}.{hint} `sightline train --cfg job` shows all keys."
    return first_lines(error)


def first_lines(error: Exception) -> str:
    """The first two lines of OmegaConf's message: the problem and its key."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])


def as_typed(arguments: list[str]) -> list[str]:
    """The arguments with quotes where Hydra's grammar would misread a value.

    Raises:
        UserError: a config group is given something other than the name of an option.
    """
    groups = list_groups(arguments)
    for word in arguments:
        group, sign, value = word.partition("=")
        if sign and group in groups and NO_OPTION.fullmatch(value):
            raise UserError(
                f"{word}: {group} is a config group and needs one of its options: "
                f"{', '.join(groups[group])}."
            )
    chosen = [word for word in arguments if word.partition("=")[0] in groups and "," not in word]

    def types(key: str) -> Any:
        config = compose_train(arguments, chosen)
        # The groups alone are needed, and a part that refers to values may lack them.
        nodes = ("data", "label_mode", "plugins")
        plain = OmegaConf.to_container(OmegaConf.masked_copy(config, list(nodes)))
        assert isinstance(plain, dict)
        return type_of({str(name): node for name, node in plain.items()}, key)

    sweep = not {"-m", "--multirun"}.isdisjoint(arguments)
    try:
        return quote_overrides(arguments, types, sweep)
    except HydraException as error:
        raise UserError(explain(error, arguments)) from error


def compose_train(arguments: list[str], overrides: list[str]) -> DictConfig:
    """The train config with these overrides, in the search path that `arguments` set up."""
    search_path = _search_path(config_folders(arguments)[1:])
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("train", overrides=[*overrides, *search_path])


def compose_job(arguments: list[str]) -> tuple[TrainConfig, Job]:
    """The checked config that `sightline train ARGUMENTS` would run, and its job.

    Raises:
        UserError: whatever is wrong with the config.
    """
    arguments = as_typed(arguments)
    register_resolvers(arguments)
    overrides = [word for word in arguments if "=" in word and not word.startswith("-")]
    search_path = _search_path(config_folders(arguments)[1:])
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            config = compose(
                "train", overrides=[*overrides, *search_path], return_hydra_config=True
            )
        with open_dict(config):
            config.hydra.runtime.output_dir = str(Path(config.hydra.run.dir).absolute())
        return read_job(config, None, arguments)
    except HydraException as error:
        raise UserError(explain(error, arguments)) from error


def compose_frozen(
    folders: list[Path], words: list[str], output_dir: Path, sweep: str, arguments: list[str]
) -> tuple[TrainConfig, Job]:
    """The checked config of a trial, from copies of the configs that a search was launched with.

    Args:
        folders: the copies, Sightline's own first.
        words: overrides.
        output_dir: the trial's folder.
        sweep: the search's name.
        arguments: of its command, after `train`.

    Raises:
        UserError: whatever is wrong with the config.
    """
    search_path = _search_path(folders[1:])
    GlobalHydra.instance().clear()  # the search itself runs inside Hydra
    try:
        with initialize_config_dir(str(folders[0]), version_base="1.3"):
            config = compose("train", overrides=[*words, *search_path], return_hydra_config=True)
    except HydraException as error:
        raise UserError(explain(error, arguments)) from error
    with open_dict(config):
        config.hydra.job.id = output_dir.name
        config.hydra.job.num = output_dir.name
        config.hydra.runtime.output_dir = str(output_dir)
    HydraConfig.instance().set_config(config)
    return read_job(config, sweep, arguments)


def _search_path(folders: list[Path]) -> list[str]:
    """The override by which Hydra looks into further folders; their names may be anything."""
    own = [QuotedString(f"file://{folder}", Quote.single).with_quotes() for folder in folders]
    return [f"hydra.searchpath=[{','.join(own)}]"] if own else []


def register_resolvers(arguments: list[str]) -> None:
    """Register the resolvers that the configs use in ${...:}; `stamp` is the same in one config."""
    OmegaConf.register_new_resolver("project_root", lambda: str(project_root()), replace=True)
    OmegaConf.register_new_resolver(
        "stamp", lambda: run_name(arguments), replace=True, use_cache=True
    )
    OmegaConf.register_new_resolver("sweep_name", lambda: sweep_name(arguments), replace=True)


def read_job(
    composed: DictConfig, sweep: str | None, arguments: list[str]
) -> tuple[TrainConfig, Job]:
    """The checked config and the job of what Hydra composed, its own part included.

    Args:
        composed: with `hydra.runtime.output_dir` set.
        sweep: the name of the sweep that it is a job of, or None.
        arguments: the words of the command after `train`.

    Raises:
        UserError: a value is missing, of a wrong type, under an unknown key, or without effect.
    """
    about = composed.hydra
    own = [word for word in arguments if sweep is None or word.startswith("--config-dir")]
    overrides = [str(word) for word in about.overrides.task]
    job = Job(
        output_dir=Path(about.runtime.output_dir),
        choices={str(k): str(v) for k, v in about.runtime.choices.items() if "/" not in str(k)},
        overrides=overrides,
        sweep=sweep,
        command=shlex.join(["sightline", "train", *arguments]),
        arguments=own if sweep is None else [*own, *overrides],
    )
    values = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    try:
        missing = sorted(OmegaConf.missing_keys(values))
        if missing:
            needed = " and ".join(f"{key}=..." for key in missing)
            raise UserError(f"A value is missing: give {needed}.")
        plain = OmegaConf.to_container(values, resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(first_lines(error)) from error
    assert isinstance(plain, dict)
    config = check({str(key): value for key, value in plain.items()})
    check_effects(config, overrides, job.in_sweep)
    return config, job


def list_groups(arguments: list[str]) -> dict[str, list[str]]:
    """The config groups and their options, the user's own among them."""
    options: dict[str, set[str]] = {}
    for path in (path for folder in config_folders(arguments) for path in folder.glob("*/*.yaml")):
        options.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(options[group]) for group in sorted(options)}


def _known_names(arguments: list[str]) -> list[str]:
    """Every key of the config that `arguments` choose, and every group."""
    groups = list_groups(arguments)
    for word in arguments:
        group, sign, value = word.partition("=")
        if sign and group in groups and NO_OPTION.fullmatch(value):
            raise UserError(
                f"{word}: {group} is a config group and needs one of its options: "
                f"{', '.join(groups[group])}."
            )
    chosen = [word for word in arguments if word.split("=")[0] in groups and "," not in word]
    try:
        config = compose_train(arguments, chosen)
    except HydraException:
        config = compose_train(arguments, [])
    return [*_keys(OmegaConf.to_container(config, resolve=False), ""), *groups]


def _keys(node: Any, prefix: str) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from _keys(value, f"{prefix}{key}.")
