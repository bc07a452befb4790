"""Axis positions of swept values: numbers on a linear or logarithmic scale, words in order."""

import math
from collections.abc import Sequence

LOG_FROM = 50  # a positive axis that spans at least this factor is logarithmic
MAX_LABELS = 8
NONE = "(none)"  # label of a job without a value


class Scale:
    """Positions in [0, 1] of values that are all numbers, or else of words.

    Args:
        texts: the values as text; "" for a job without a value.

    Attributes:
        numeric: whether all values are numbers.
        logarithmic: whether numbers are placed by their logarithm.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._order = sorted(set(texts), key=value_order)
        numbers = [to_number(text) for text in self._order if text]
        self.numeric = bool(numbers) and None not in numbers
        self._numbers = [number for number in numbers if number is not None]
        low, high = (min(self._numbers), max(self._numbers)) if self.numeric else (0.0, 0.0)
        self.logarithmic = low > 0 and high / low >= LOG_FROM
        self._low, self._high = self._scaled(low), self._scaled(high)
        self._floor = 0.12 if self.numeric and "" in self._order else 0.0  # below it: no value

    def place(self, text: str) -> float:
        """Position in [0, 1] of a value."""
        if not self.numeric:
            return _share(self._order.index(text), 0, len(self._order) - 1)
        if not text:
            return 0.0
        share = _share(self._scaled(float(text)), self._low, self._high)
        return self._floor + (1 - self._floor) * share

    def labels(self) -> list[tuple[float, str]]:
        """Positions and labels of the ticks: every value, or five of more than 8 numbers."""
        if len(self._order) <= MAX_LABELS or not self.numeric:
            step = math.ceil(len(self._order) / (2 * MAX_LABELS))
            return [(self.place(text), shorten(text) or NONE) for text in self._order[::step]]
        marks = [self._low + (self._high - self._low) * share for share in (0, 0.25, 0.5, 0.75, 1)]
        values = [math.exp(mark) if self.logarithmic else mark for mark in marks]
        shown = [(self.place(repr(value)), f"{value:.3g}") for value in values]
        return [(0.0, NONE), *shown] if "" in self._order else shown

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


def value_order(text: str) -> tuple[int, float, str]:
    """Sort key: no value first, then numbers by size, then words."""
    number = to_number(text)
    if not text:
        return (0, 0.0, "")
    return (2, 0.0, text) if number is None else (1, number, text)


def to_number(text: str) -> float | None:
    """The text as a finite number, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def shorten(text: str) -> str:
    """A value shortened for an axis: numbers to three digits, words to 18 characters."""
    number = to_number(text)
    if number is not None and len(text) > 6:
        return f"{number:.3g}"
    return text if len(text) <= 18 else f"{text[:17]}…"


def _share(value: float, low: float, high: float) -> float:
    return 0.5 if high == low else (value - low) / (high - low)
