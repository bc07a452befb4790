"""Stored config: what a checkpoint, a run's folder or MLflow holds, which a stranger may have made.

It is data alone: plain containers, without any of Hydra's keys and interpolations. The
command that reads it names the packages that may build objects from it, never the file.
"""

import os
from collections.abc import Iterable
from typing import Any

from sightline.errors import UserError

PLUGINS = "SIGHTLINE_PLUGINS"
MAX_DEPTH, MAX_VALUES = 32, 100_000
SHARDS = ("train", "val", "test")  # keys of data=webdataset
PLAIN = (str, int, float, bool, type(None))


def stored_config(values: Any, origin: object) -> dict[str, Any]:
    """A copy of a stored config in plain dicts and lists.

    Args:
        values: as read from the file.
        origin: the file, for messages.

    Raises:
        UserError: names the key that holds something else, or that Hydra would act on.
    """
    copy = _Copy(origin)
    if type(values) is not dict:
        raise copy.refusal("", f"expected a mapping, but got {type(values).__name__}")
    result: dict[str, Any] = copy.of(values, "", 0)
    data = result.get("data")
    data = data if isinstance(data, dict) else {}
    for key in SHARDS:
        for each in data[key] if isinstance(data.get(key), list) else [data.get(key)]:
            if isinstance(each, str) and _may_be_command(each):
                raise copy.refusal(f"data.{key}", f"{each!r} can be a command of the shell")
    return result


def _may_be_command(shards: str) -> bool:
    """Whether addresses of shards can be `pipe:COMMAND`, also once their braces are expanded."""
    for each in shards.split("::"):
        scheme, colon, _ = each.partition(":")
        if colon and (scheme.strip().lower() == "pipe" or set(scheme) & set("{}\\")):
            return True
    return False


class _Copy:
    """The copying of one config: values are counted, since aliases can make few into many.

    Args:
        origin: the file.
    """

    def __init__(self, origin: object) -> None:
        self.origin = origin
        self.count = 0

    def refusal(self, where: str, problem: str) -> UserError:
        """The error about one place."""
        place = f" at {where.removeprefix('.')}" if where else ""
        return UserError(
            f"{self.origin}: its config{place} is not one that Sightline writes, and was not used: "
            f"{problem}."
        )

    def of(self, value: Any, where: str, depth: int) -> Any:
        """A copy of one value."""
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_VALUES:
            raise self.refusal("", "it is nested too deep, or too large")
        kind = type(value)
        if kind is dict:
            return {self._key(k, where): self.of(v, f"{where}.{k}", depth + 1)
                    for k, v in value.items()}  # fmt: skip
        if kind is list:
            return [self.of(v, f"{where}[{i}]", depth + 1) for i, v in enumerate(value)]
        if kind not in PLAIN:
            raise self.refusal(where, f"expected plain values, but got {kind.__name__}")
        if kind is str and "${" in value:
            raise self.refusal(where, f"{value!r} is an interpolation")
        return value

    def _key(self, key: Any, where: str) -> str:
        if type(key) is not str or "${" in key:
            raise self.refusal(where, f"the key {key!r} is not a plain name")
        if is_of_hydra(key):
            raise self.refusal(where, f"the key {key!r} is one that Hydra acts on")
        return key


def without_download(config: dict[str, Any]) -> dict[str, Any]:
    """A stored config by which no data is downloaded.

    A stranger may have written what would be downloaded and into which folder of this machine; a
    command that wants it says so itself (`data.download=true`).
    """
    data = config.get("data")
    if isinstance(data, dict) and "download" in data:
        return config | {"data": data | {"download": False}}
    return config


def is_of_hydra(key: str) -> bool:
    """Whether a key is an instruction to Hydra, such as `_partial_`; `_target_` is Sightline's."""
    return key.startswith("_") and key.endswith("_") and key != "_target_"


def trusted_plugins(given: Iterable[str]) -> list[str]:
    """The packages that a command allows: its own option, and the variable SIGHTLINE_PLUGINS."""
    return [*given, *filter(None, os.environ.get(PLUGINS, "").split(","))]


def check_plugins(named: Iterable[str], allowed: Iterable[str], origin: object) -> None:
    """Refuse packages that a file names and the command does not.

    Raises:
        UserError: with the option that allows them.
    """
    known = set(allowed)
    unknown = [each for each in named if each not in known]
    if unknown:
        listed = ",".join(unknown)
        raise UserError(
            f"{origin} names plugins=[{listed}], which could run any code. If you trust it, add "
            f"plugins=[{listed}] to this command, or set {PLUGINS}={listed} in the environment."
        )
