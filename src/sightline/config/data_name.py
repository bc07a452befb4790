"""The name of the data set that a config, or a run's parameters, name."""

from collections.abc import Mapping
from pathlib import PurePath


def data_name(params: Mapping[str, str]) -> str:
    """The data set's name, its table's or its folder's, else the choice of `data`; or empty."""
    for key in ("name", "path", "root"):
        value = params.get(f"data.{key}", "[")
        if not value.startswith("["):  # of a list of files none names the data
            return PurePath(value).name if key == "root" else PurePath(value).stem
    return params.get("data", "")


def data_of(node: Mapping[str, object], choice: str) -> str:
    """The same of a config.

    Args:
        node: its `data`.
        choice: of the config group `data`.
    """
    named = {f"data.{key}": value for key, value in node.items() if isinstance(value, str)}
    return data_name({"data": choice, **named})
