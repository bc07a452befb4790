"""Composition of jobs outside Hydra's own main."""

import shlex
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from sightline.cluster.run_name import run_name
from sightline.config.augment_form import with_form
from sightline.config.checks import check
from sightline.config.effects import check_effects
from sightline.config.explain import explain, first_lines
from sightline.config.fitting import fitting
from sightline.config.open_batch import without_idle_size
from sightline.config.schema import Job, TrainConfig
from sightline.config.search_path import search_path_override
from sightline.config.typed import as_typed
from sightline.errors import UserError
from sightline.paths import conf_dir, config_folders, project_root, sweep_name


def compose_job(arguments: list[str], given: list[str] | None = None) -> tuple[TrainConfig, Job]:
    """The checked config that `sightline train ARGUMENTS` would run, and its job.

    Args:
        arguments: the words after `train`.
        given: those of them that resume a run, beside those that it began with; None: a new run's.

    Raises:
        UserError: whatever is wrong with the config.
    """
    arguments = as_typed(arguments)
    register_resolvers(arguments)
    overrides = [word for word in arguments if "=" in word and not word.startswith("-")]
    search_path = search_path_override(config_folders(arguments)[1:])
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            config = compose(
                "train", overrides=[*overrides, *search_path], return_hydra_config=True
            )
        with open_dict(config):
            config.hydra.runtime.output_dir = str(Path(config.hydra.run.dir).absolute())
        return read_job(config, None, arguments, given)
    except HydraException as error:
        raise UserError(explain(error, arguments)) from error


def compose_single(
    overrides: list[str], folder: str | None, main: str | None, name: str | None
) -> DictConfig:
    """The composed config of a single run, as Hydra's own main gives it to a task.

    Args:
        overrides: KEY=VALUE words.
        folder: `--config-dir`, or None.
        main: `--config-path`, or None for Sightline's configs.
        name: `--config-name`, or None.

    Raises:
        UserError: there is no such folder.
        HydraException: an override or a config is wrong.
    """
    search_path = create_config_search_path(main or str(conf_dir()))
    if folder is not None:
        own = Path(folder).absolute()
        if not own.is_dir():
            raise UserError(f"--config-dir={folder}: there is no such folder.")
        search_path.prepend("command-line", f"file://{own}", SearchPathQuery(provider="schema"))
    try:
        hydra = Hydra.create_main_hydra2("train", search_path)
        config = hydra.compose_config(name or "train", overrides, RunMode.RUN)
    finally:
        GlobalHydra.instance().clear()
    HydraConfig.instance().set_config(config)  # for ${hydra:...}, in the folder's name too
    with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(Path(config.hydra.run.dir).absolute())
    HydraConfig.instance().set_config(config)
    return config


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
    search_path = search_path_override(folders[1:])
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


def register_resolvers(arguments: list[str]) -> None:
    """Register the resolvers that the configs use in ${...:}; `stamp` is the same in one config."""
    OmegaConf.register_new_resolver("project_root", lambda: str(project_root()), replace=True)
    OmegaConf.register_new_resolver(
        "stamp", lambda: run_name(arguments), replace=True, use_cache=True
    )
    OmegaConf.register_new_resolver("sweep_name", lambda: sweep_name(arguments), replace=True)
    OmegaConf.register_new_resolver("fitting", fitting, replace=True)


def read_job(
    composed: DictConfig, sweep: str | None, arguments: list[str], given: list[str] | None = None
) -> tuple[TrainConfig, Job]:
    """The checked config and the job of what Hydra composed, its own part included.

    Args:
        composed: with `hydra.runtime.output_dir` set.
        sweep: the name of the sweep that it is a job of, or None.
        arguments: the words of the command after `train`.
        given: those of them that resume a run, beside those that it began with; None: a new run's.

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
    check_effects(config, overrides if given is None else given, job.in_sweep, given is not None)
    return with_form(without_idle_size(config), overrides), job
