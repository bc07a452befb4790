"""Addresses in a config of data: sets of the hub, and shards of other machines."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

KEYS = {
    "sightline.data.sources.huggingface.read_huggingface": ("name",),
    "sightline.data.sources.webdataset.read_webdataset": ("train", "val", "test"),
}


def addresses_of(data: Mapping[Any, Any]) -> dict[str, list[str]]:
    """What a config of data may contact, by its key; a folder for `data.name` can name files too.

    Args:
        data: the node `data` of a config.
    """
    found = {}
    for key in KEYS.get(str(data.get("_target_")), ()):
        values = data.get(key)
        texts = list(map(str, values if isinstance(values, (list, tuple)) else [values]))
        if key != "name":
            texts = [each for each in texts if _is_remote(each)]
        if texts:
            found[key] = texts
    return found


def all_addresses(data: Iterable[Mapping[Any, Any]]) -> list[str]:
    """The addresses of several configs of data."""
    return [text for each in data for texts in addresses_of(each).values() for text in texts]


def _is_remote(shards: str) -> bool:
    """Whether shards can be elsewhere, also once their braces are expanded."""
    return "://" in shards or (":" in shards and bool(set(shards) & set("{$\\")))


def addresses_in(words: Iterable[str]) -> list[str]:
    """The addresses that the words of a command name, such as `data.name=uoft-cs/cifar10`."""
    keys = {f"data.{key}" for each in KEYS.values() for key in each}
    found: list[str] = []
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        if key in keys:
            read = yaml.safe_load(value)
            found += map(str, read if isinstance(read, list) else [read])
    return found
