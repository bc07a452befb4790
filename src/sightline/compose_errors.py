"""What Hydra and OmegaConf say about a command, in words for the person who typed it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf

from sightline.errors import did_you_mean
from sightline.project import conf_dir


def explain(error: Exception, arguments: list[str]) -> str:
    """One message for an error of Hydra or OmegaConf, with the nearest real name where one is."""
    text = str(error).strip()
    if isinstance(error, OverrideParseException):
        return f"Cannot read the override {error.override!r}: expected KEY=VALUE or GROUP=OPTION."
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        options = sorted(name for name in error.options if name != "loader")
        hint = did_you_mean(option, options)
        return f"{group}={option}: no such option.{hint} The options of {group}: {', '.join(options)}."
    unknown = re.search(r"Could not override '([^']+)'", text) or re.search(
        r"Could not delete from config\. '([^']+)'", text
    )
    if unknown:
        key = unknown[1]
        hint = did_you_mean(key, _known_names(arguments))
        return f"Unknown key {key!r}.{hint} `sightline train --cfg job` shows all keys."
    first_lines = [line.strip() for line in text.splitlines() if line.strip()][:2]
    return " ".join(first_lines)


def _known_names(arguments: list[str]) -> list[str]:
    """Every key of the config that `arguments` choose, and every group."""
    folders = [conf_dir()]
    if "--config-dir" in arguments[:-1]:
        folders.append(Path(arguments[arguments.index("--config-dir") + 1]).absolute())
    groups = sorted({path.name for folder in folders for path in folder.iterdir() if path.is_dir()})
    chosen = [word for word in arguments if word.split("=")[0] in groups and "," not in word]
    search_path = [f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in folders[1:])}]"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        try:
            config = compose("train", overrides=[*chosen, *search_path])
        except HydraException:
            config = compose("train")
    return [*_keys(OmegaConf.to_container(config, resolve=False), ""), *groups]


def _keys(node: Any, prefix: str) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from _keys(value, f"{prefix}{key}.")
