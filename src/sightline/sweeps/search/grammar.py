"""Hydra's sweep grammar (`choice`, `range`, `interval`, tags) read as the spaces of a search."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    RangeSweep,
)

from sightline.errors import UserError
from sightline.sweeps.overrides import override_words
from sightline.sweeps.search.spaces import Space


def read_spaces(overrides: Sequence[Override]) -> tuple[list[str], list[Space]]:
    """The overrides of every trial, and the spaces, those that others depend on first.

    Raises:
        UserError: there is no space, or an invalid one.
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


def _space(override: Override) -> Space:
    """The space that a sweep of Hydra stands for."""
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
        # A resumed search has to find the choices that it began with.
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
    """The space of listed values."""
    key = override.get_key_element()
    choices = tuple(word.partition("=")[2] for word in override_words(override))
    return Space(key, str(override.input_line), choices, 0, 0, None, False, tuple(sorted(only_if)))


def _bounds(value: RangeSweep | IntervalSweep, as_int: bool) -> tuple[float, float, float | None]:
    """The lowest value, the highest and the step; a range excludes its end, as in Hydra."""
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        integer = as_int or isinstance(value.start, int)
        return (int(value.start), int(value.end), 1) if integer else (value.start, value.end, None)
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
