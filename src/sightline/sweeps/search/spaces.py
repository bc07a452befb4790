"""What a search may try: Hydra's sweeps as spaces of Optuna."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    RangeSweep,
)

from sightline.errors import UserError
from sightline.sweeps.overrides import override_words

Value = str | int | float


class Trial(Protocol):
    """What draws values: an `optuna.Trial`."""

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """One of the choices."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        """A whole number from low to high, both included."""

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
        choices: words, where it is a list; else the bounds count.
        low: the least number.
        high: the greatest, which is included.
        step: between numbers; None: any.
        log: whether numbers are drawn by their logarithm.
        only_if: keys and values without which there is no such value.
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
        """The key alone."""
        return self.key.lstrip("+")

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole."""
        return isinstance(self.low, int) and isinstance(self.step, int)

    def suggest(self, trial: Trial) -> Value:
        """Draw a value."""
        if self.choices:
            return trial.suggest_categorical(self.name, list(self.choices))
        if self.whole:
            return trial.suggest_int(
                self.name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log
            )
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)

    def ends(self) -> list[Value]:
        """Every choice, or the two bounds: what is checked beforehand."""
        return list(self.choices) if self.choices else [self.low, self.high]


def read_spaces(overrides: Sequence[Override]) -> tuple[list[str], list[Space]]:
    """The words that hold for every trial, and the spaces, those that others depend on first.

    Raises:
        UserError: there is no space, or one that cannot be.
    """
    fixed: list[str] = []
    spaces: list[Space] = []
    for override in overrides:
        if override.is_sweep_override():
            spaces.append(_space(override))
        else:
            fixed += override_words(override)
    if not spaces:
        raise UserError(
            "hydra/sweeper=optuna: there is nothing to search. Give a space, such as "
            "'optimizer.lr=tag(log, interval(1e-4, 1e-1))' or 'model=choice(cnn,timm)'."
        )
    given = {word.lstrip("+~").partition("=")[0] for word in fixed}
    return fixed, _ordered(spaces, given)


def draw(trial: Trial, spaces: Sequence[Space], fixed: Sequence[str]) -> list[str]:
    """The words of a trial: a value of every space whose condition holds."""
    chosen = dict(word.lstrip("+~").partition("=")[::2] for word in fixed)
    words = []
    for space in spaces:
        if all(chosen.get(key) == value for key, value in space.only_if):
            chosen[space.name] = str(space.suggest(trial))
            words.append(f"{space.key}={chosen[space.name]}")
    return words


def samples(spaces: Sequence[Space], fixed: Sequence[str]) -> list[list[str]]:
    """The words of trials in which every choice and every bound occurs at least once."""
    found: dict[tuple[str, ...], list[str]] = {}
    for space in spaces:
        for value in space.ends():
            wanted = dict(space.only_if) | {space.name: value}
            words = draw(_Fixed(wanted), spaces, fixed)
            found[tuple(words)] = words
    return list(found.values())


class _Fixed:
    """A trial that takes what is wanted, and of what is not mentioned the first."""

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


def _space(override: Override) -> Space:
    value: Any = override.value()
    key, text = override.get_key_element(), str(override.input_line)
    if isinstance(value, Glob):
        return _listed(override, set())
    assert isinstance(value, (ChoiceSweep, RangeSweep, IntervalSweep))
    only_if = tuple(sorted(tag.partition("=")[::2] for tag in value.tags if "=" in tag))
    tags = {tag for tag in value.tags if "=" not in tag}
    unknown = tags - {"log", "int"}
    if unknown:
        raise UserError(
            f"{text}: unknown tag {sorted(unknown)[0]!r}; a tag is log, int, or a condition such "
            'as "optimizer=sgd".'
        )
    if isinstance(value, ChoiceSweep):
        if tags:
            raise UserError(f"{text}: listed values have no {' or '.join(sorted(tags))}.")
        listed = _listed(override, set(only_if))
        # A search that goes on has to find the choices that it began with.
        return replace(listed, choices=tuple(sorted(listed.choices))) if value.shuffle else listed
    low, high, step = _bounds(value, "int" in tags)
    if not low < high:
        raise UserError(f"{text}: expected a lower bound below the upper one.")
    log = "log" in tags
    if log and low <= 0:
        raise UserError(f"{text}: on a logarithmic scale every value is above 0.")
    if log and step not in (None, 1):
        raise UserError(f"{text}: a logarithmic scale has no steps.")
    return Space(key, text, (), low, high, step, log, only_if)


def _listed(override: Override, only_if: set[tuple[str, str]]) -> Space:
    key = override.get_key_element()
    choices = tuple(word.partition("=")[2] for word in override_words(override))
    return Space(key, str(override.input_line), choices, 0, 0, None, False, tuple(sorted(only_if)))


def _bounds(value: RangeSweep | IntervalSweep, as_int: bool) -> tuple[float, float, float | None]:
    """The least and the greatest value, and the step; a range's end is not in it, as in Hydra."""
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        whole = as_int or isinstance(value.start, int)
        return (int(value.start), int(value.end), 1) if whole else (value.start, value.end, None)
    assert value.start is not None
    assert value.stop is not None
    numbers = [float(number) for number in value.range()]
    low, high, step = min(numbers), max(numbers), abs(value.step)
    if all(isinstance(part, int) for part in (value.start, value.stop, value.step)):
        return int(low), int(high), int(step)
    return low, high, float(step)


def _ordered(spaces: Sequence[Space], given: set[str]) -> list[Space]:
    """Spaces after those that their conditions name."""
    known, waiting, ordered = set(given), list(spaces), []
    while waiting:
        ready = [space for space in waiting if all(key in known for key, _ in space.only_if)]
        if not ready:
            space = waiting[0]
            lacking = [key for key, _ in space.only_if if key not in known]
            raise UserError(
                f"{space.text}: its condition on {lacking[0]} can never hold; search it, or give "
                f"it a value: {lacking[0]}=..."
            )
        ordered += ready
        known |= {space.name for space in ready}
        waiting = [space for space in waiting if space not in ready]
    return ordered
