"""Messages for what Hydra and OmegaConf refuse."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf

from sightline.config.search_path import choices_among, compose_train, list_groups
from sightline.config.timm_names import is_timm_name
from sightline.config.words import quoted
from sightline.errors import did_you_mean


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
        if group == "model" and is_timm_name(option):
            hint = f" It is a model of timm's: model=timm model.name={option}."
        return (
            f"{group}={option}: no such option.{hint} The options of {group}: {', '.join(options)}."
        )
    set_to = re.search(r"Could not override '([^']+)'", text)
    unknown = set_to or re.search(r"Could not delete from config\. '([^']+)'", text)
    if unknown:
        key = unknown[1]
        names = _known_names(arguments)
        hint = did_you_mean(key, names)
        if set_to and f"{key.rpartition('.')[0]}._target_" in names:
            hint += f" An argument that is not in the config yet needs a plus: +{key}=VALUE."
        return f"Unknown key {key!r}.{hint} `sightline train --cfg job` shows all keys."
    return first_lines(error)


def first_lines(error: Exception) -> str:
    """The first two lines of OmegaConf's message: the problem and its key."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])


def _known_names(arguments: list[str]) -> list[str]:
    """Every key of the config that `arguments` choose, and every group."""
    groups = list_groups(arguments)
    try:
        config = compose_train(arguments, choices_among(arguments, groups))
    except HydraException:
        config = compose_train(arguments, [])
    return [*_keys(OmegaConf.to_container(config, resolve=False), ""), *groups]


def _keys(node: Any, prefix: str) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from _keys(value, f"{prefix}{key}.")
