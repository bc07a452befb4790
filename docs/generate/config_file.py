"""A file of `conf/`: its values, and what its comments say of it and of each key."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sightline.config.key_docs import about_file, read_keys


@dataclass
class ConfigFile:
    """A file of `conf/` with its comments.

    Attributes:
        about: the comment at its top.
        values: as YAML reads the file, without `defaults`.
        meanings: of each key, with dots between the keys of nested mappings.
    """

    about: str
    values: dict[str, Any]
    meanings: dict[str, str]


def read_config_file(path: Path) -> ConfigFile:
    """The file's values and comments."""
    values = yaml.safe_load(path.read_text()) or {}
    values.pop("defaults", None)
    meanings = {doc.key: doc.comment for doc in read_keys(path, "") if doc.comment}
    return ConfigFile(about_file(path), values, meanings)
