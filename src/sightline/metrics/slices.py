"""Slices: metrics for each value of a metadata column, and their differences to the rest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sightline.errors import UserError, did_you_mean
from sightline.label_modes.base import LabelMode
from sightline.metrics.evaluation import Evaluation, Row, evaluate_table
from sightline.metrics.registry import registry_of
from sightline.metrics.slice_differences import Difference, difference_of
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions

MISSING_VALUE = "(missing)"
MANY = 20  # different numbers, beyond which a column is cut into quarters
MOST = 200  # slices that are measured


@dataclass(frozen=True)
class Slices:
    """A column's slices.

    Attributes:
        column: its name.
        metric: that they are compared by.
        higher_is_better: its direction.
        found: the evaluation of each slice that is large enough, by its value.
        small: samples of the others, by value.
        differences: of each slice in `found` to the rest.
    """

    column: str
    metric: str
    higher_is_better: bool
    found: dict[str, Evaluation]
    small: dict[str, int]
    differences: dict[str, Difference]

    @property
    def worst(self) -> str | None:
        """The value with the worst metric among those that are worse than the rest by more than
        chance; None where there is none."""
        values = {
            name: self.found[name].metrics[self.metric]
            for name, each in self.differences.items()
            if each.is_worse(self.higher_is_better)
        }
        if not values:
            return None
        return (min if self.higher_is_better else max)(values, key=lambda name: values[name])

    def rows(self) -> list[Row]:
        """A row a slice: its headline metrics, each with its interval; of small ones the size."""
        headlines = dict.fromkeys(n for each in self.found.values() for n in each.headlines)
        rows: list[Row] = []
        for value, each in self.found.items():
            row: Row = {"column": self.column, "value": value, "samples": each.samples}
            for name in headlines:
                interval = each.intervals.get(name)
                row[name] = each.metrics.get(name)
                row[f"{name}_low"] = interval.low if interval else None
                row[f"{name}_high"] = interval.high if interval else None
            to_rest = self.differences[value]
            row |= {
                "difference_to_rest": _known(to_rest.value),
                "difference_to_rest_low": _known(to_rest.low),
                "difference_to_rest_high": _known(to_rest.high),
                "withheld": to_rest.withheld,
            }
            rows.append(row | {"worst": value == self.worst})
        keys = rows[0].keys() if rows else ("column", "value", "samples")
        for value, samples in self.small.items():
            small = {"column": self.column, "value": value, "samples": samples}
            rows.append(dict.fromkeys(keys) | small)
        return rows


def measure_slices(
    label_mode: LabelMode, table: Predictions, tuning: Tuning, column: str,
    metric: str | None = None, minimum: int = 30, plugins: Sequence[str] = (),
    parts: np.ndarray | None = None,
) -> Slices:  # fmt: skip
    """Evaluate each value of a column by itself.

    Args:
        label_mode: of the table.
        table: with the column in its metadata.
        tuning: of the model.
        column: texts; or numbers, of which more than 20 different ones are cut into quarters.
        metric: to compare by; None: accuracy, by the run's decision rule.
        minimum: samples below which a slice is counted and not evaluated.
        plugins: packages with metrics of their own.
        parts: see `evaluate_table`.

    Raises:
        UserError: there is no such column or metric, or it has a value of its own for each sample.
    """
    _check_column(table, column)
    metric = metric or f"accuracy{tuning.suffix}"
    values = slice_values(table.metadata[column])
    names, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    large = [index for index, count in enumerate(counts) if count >= minimum]
    if not large or len(large) > MOST:
        raise UserError(
            f"slices=[{column}]: of {len(names):,} different values {len(large):,} have at least "
            f"{minimum} samples (min_slice); 1 to {MOST} can be compared."
        )
    own = [None if parts is None else parts[codes == index] for index in range(len(names))]
    found = {
        str(names[index]): evaluate_table(
            label_mode, table.select(codes == index), tuning, plugins, parts=own[index]
        )
        for index in large
    }
    higher = _direction(metric, found, plugins)
    small = {str(names[i]): int(counts[i]) for i in range(len(names)) if counts[i] < minimum}
    comparisons = 1 if len(names) == 2 else len(large)
    differences = {
        str(names[index]): difference_of(
            label_mode, table.select(codes == index), table.select(codes != index), tuning, metric,
            comparisons, plugins, (own[index], None if parts is None else parts[codes != index]),
        )
        for index in large
    }  # fmt: skip
    return Slices(column, metric, higher, found, small, differences)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _check_column(table: Predictions, column: str) -> None:
    if column not in table.metadata:
        raise UserError(
            f"slices=[{column}]: no such column came with the data."
            f"{did_you_mean(column, table.metadata)} There are: "
            f"{', '.join(table.metadata) or 'none'}. A manifest's columns are kept, unless "
            "data.metadata_columns names others."
        )


def slice_values(column: np.ndarray) -> np.ndarray:
    """The slice that each sample is in, as text."""
    texts = np.where(column == "", MISSING_VALUE, column) if column.dtype.kind == "U" else None
    try:
        numbers = (
            np.where(column == "", "nan", column).astype(float)
            if texts is not None
            else (column.astype(float))
        )
    except ValueError:
        assert texts is not None
        return texts
    known = ~np.isnan(numbers)
    if len(np.unique(numbers[known])) <= MANY:
        if texts is not None:
            return texts
        return np.array([f"{x:g}" if x == x else MISSING_VALUE for x in numbers])
    edges = np.unique(np.quantile(numbers[known], [0, 0.25, 0.5, 0.75, 1]))
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    names = np.array([f"{low:g} to {high:g}" for low, high in pairwise(edges)])
    return np.where(known, names[place], MISSING_VALUE)


def _direction(metric: str, found: dict[str, Evaluation], plugins: Sequence[str]) -> bool:
    """Whether higher values of the metric are better.

    Raises:
        UserError: no slice has the metric.
    """
    known = dict.fromkeys(name for each in found.values() for name in each.metrics)
    higher = registry_of(plugins).higher_is_better(metric)
    if metric not in known or higher is None:
        raise UserError(
            f"slice_metric={metric}: there is no such metric.{did_you_mean(metric, known)} There "
            f"are: {', '.join(known)}."
        )
    return higher
