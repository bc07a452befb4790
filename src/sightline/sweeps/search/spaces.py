"""The spaces of a search: values, conditions, and the overrides of a sampled trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Value = str | int | float


class Suggester(Protocol):
    """An object that samples values, as an `optuna.Trial` does."""

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """One of the choices."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        """An integer from low to high, both included."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None, log: bool
    ) -> float:
        """A number from low to high."""


@dataclass(frozen=True)
class Space:
    """The values that one key may take.

    Attributes:
        key: as it stands on the command line, `+` included.
        text: the space as it was given.
        choices: words; empty where the space is an interval.
        low: the lowest number.
        high: the highest, included.
        step: between numbers; None: continuous.
        log: whether numbers are sampled on a logarithmic scale.
        only_if: (key, value) pairs that must all be chosen for the space to apply.
    """

    key: str
    text: str
    choices: tuple[str, ...]
    low: float
    high: float
    step: float | None
    log: bool
    only_if: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The key without `+`."""
        return self.key.lstrip("+")

    @property
    def is_integer(self) -> bool:
        """Whether its numbers are integers."""
        return isinstance(self.low, int) and isinstance(self.step, int)

    def suggest(self, trial: Suggester) -> Value:
        """Sample a value."""
        if self.choices:
            return trial.suggest_categorical(self.name, list(self.choices))
        if self.is_integer:
            return trial.suggest_int(
                self.name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log
            )
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)

    def ends(self) -> list[Value]:
        """Every choice, or the two bounds."""
        return list(self.choices) if self.choices else [self.low, self.high]


def sample_overrides(trial: Suggester, spaces: Sequence[Space], fixed: Sequence[str]) -> list[str]:
    """The overrides of a trial: a value of every space whose condition holds.

    Args:
        trial: samples the values.
        spaces: those that others depend on first.
        fixed: overrides of every trial.
    """
    chosen = dict(word.lstrip("+~").partition("=")[::2] for word in fixed)
    words = []
    for space in spaces:
        if all(chosen.get(key) == value for key, value in space.only_if):
            chosen[space.name] = str(space.suggest(trial))
            words.append(f"{space.key}={chosen[space.name]}")
    return words


def boundary_samples(spaces: Sequence[Space], fixed: Sequence[str]) -> list[list[str]]:
    """Overrides of trials in which every choice and every bound occurs at least once."""
    found: dict[tuple[str, ...], list[str]] = {}
    for space in spaces:
        for value in space.ends():
            wanted = dict(space.only_if) | {space.name: value}
            words = sample_overrides(_Fixed(wanted), spaces, fixed)
            found[tuple(words)] = words
    return list(found.values())


class _Fixed:
    """A suggester of given values; of other keys the first choice or the lower bound."""

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        self.wanted = wanted

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        return str(self.wanted.get(name, choices[0]))

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        return int(self.wanted.get(name, low))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None, log: bool
    ) -> float:
        return float(self.wanted.get(name, low))
