"""Hydra's search path: Sightline's configs and the user's own, and what they hold."""

from collections.abc import Container
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig

from sightline.paths import conf_dir, config_folders


def compose_train(arguments: list[str], overrides: list[str]) -> DictConfig:
    """The train config with these overrides, in the search path that `arguments` set up."""
    search_path = search_path_override(config_folders(arguments)[1:])
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("train", overrides=[*overrides, *search_path])


def search_path_override(folders: list[Path]) -> list[str]:
    """The override by which Hydra looks into further folders; their names may be anything."""
    own = [QuotedString(f"file://{folder}", Quote.single).with_quotes() for folder in folders]
    return [f"hydra.searchpath=[{','.join(own)}]"] if own else []


def list_groups(arguments: list[str]) -> dict[str, list[str]]:
    """The config groups and their options, the user's own among them."""
    options: dict[str, set[str]] = {}
    for path in (path for folder in config_folders(arguments) for path in folder.glob("*/*.yaml")):
        options.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(options[group]) for group in sorted(options)}


def choices_among(arguments: list[str], groups: Container[str]) -> list[str]:
    """The arguments GROUP=OPTION; without those of a sweep, which give several options."""
    return [word for word in arguments if word.partition("=")[0] in groups and "," not in word]
