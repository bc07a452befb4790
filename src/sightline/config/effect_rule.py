"""The rule of one key: under which config it has no effect."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sightline.config.schema import TrainConfig

ALWAYS = object()  # no value of the key says nothing


@dataclass(frozen=True)
class Rule:
    """One key, and when it has no effect.

    Attributes:
        key: with dots.
        idle: whether it has no effect under a config.
        because: the reason, and what to do.
        silent: the value with which the key says nothing, in whichever file it stands.
    """

    key: str
    idle: Callable[[TrainConfig], bool]
    because: str
    silent: Any = ALWAYS
