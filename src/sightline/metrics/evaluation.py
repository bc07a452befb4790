"""The evaluation of one table under the model's tuning, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sightline.label_modes.base import LabelMode
from sightline.metrics.calibration import reliability
from sightline.metrics.estimates import LEVEL, Interval
from sightline.metrics.intervals import intervals_of
from sightline.metrics.metric import TUNED
from sightline.metrics.metric_sets import MetricSet, metric_sets
from sightline.metrics.tuned_table import TunedTable
from sightline.metrics.tuning import Tuning
from sightline.metrics.values import defined, per_class_rows, rows_of_classes
from sightline.predictions import Predictions

Row = dict[str, object]


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a table, with their intervals and the tables of a report.

    Attributes:
        samples: how many.
        metrics: name to value; `_calibrated` and `_tuned` beside the name of the same without.
        intervals: of those metrics that have one.
        withheld: of the other metrics, what there is too little of for an interval.
        headlines: names of the metrics that are read first.
        undefined: metrics without a value here.
        absent: classes without a sample.
        per_class: a row a class: support, values, their intervals, and the values by thresholds.
        reliability: a row a bin of confidence, before and after calibration.
        tuning: of the model.
        units: that the intervals take as independent: "100 groups".
        parts: of the samples where the tuning was fitted on them, and is judged by cross-fitting.
    """

    samples: int
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    withheld: dict[str, str]
    headlines: list[str]
    undefined: list[str]
    absent: list[str]
    per_class: list[Row]
    reliability: list[Row]
    tuning: Tuning
    units: str
    parts: np.ndarray | None = None

    def record(self) -> dict[str, Any]:
        """Plain containers for a JSON file; the tables aside."""
        return {
            "samples": self.samples,
            "metrics": {str(row.pop("metric")): row for row in self.rows()},
            "undefined": self.undefined,
            "absent_classes": self.absent,
            "tuning": self.tuning.to_dict() | {"parts": len(self.tuning.parts)},
            "cross_fitted": self.parts is not None,
            "independent": self.units,
        }

    def interval_ends(self) -> dict[str, tuple[float, float]]:
        """The headlines' intervals."""
        found = {name: self.intervals.get(name) for name in self.headlines}
        return {name: (each.low, each.high) for name, each in found.items() if each}

    def withheld_headlines(self) -> dict[str, str]:
        """The headlines without an interval, with the reason."""
        return {name: self.withheld[name] for name in self.headlines if name in self.withheld}

    def rows(self) -> list[Row]:
        """A row a metric, with its interval, or the reason why there is none."""
        rows: list[Row] = []
        for name, value in self.metrics.items():
            each = self.intervals.get(name)
            about = asdict(each) if each else dict.fromkeys(("low", "high", "method"))
            reason = self.withheld.get(name)
            words = {"withheld": f"too few to say: {reason}" if reason else None}
            rows.append({"metric": name, "value": value, **about, **words})
        return rows


def evaluate_table(
    label_mode: LabelMode, table: Predictions, tuning: Tuning, plugins: Sequence[str] = (),
    level: float = LEVEL, parts: np.ndarray | None = None,
) -> Evaluation:  # fmt: skip
    """Metrics before and after tuning, with their intervals; a pure function of its arguments.

    Args:
        label_mode: of the table.
        table: of any split; uncalibrated.
        tuning: of the model, fitted on val.
        plugins: packages with metrics of their own.
        level: of the intervals' confidence.
        parts: of the samples, shape (N,), where the tuning was fitted on this table, which is then
            judged by cross-fitting; else None.
    """
    sets = metric_sets(label_mode, table, tuning, plugins, parts)
    metrics = {name: value for each in sets for name, value in each.values().items()}
    headlines = [m.name + each.suffix for each in sets for m in each.metrics if m.is_headline]
    found = intervals_of(sets, level)
    there = defined(metrics)
    rows = per_class_rows(label_mode, table)
    for index, row in enumerate(rows):
        row |= _interval_cells({name: each[index] for name, each in found.per_class.items()})
    tuned = TunedTable(label_mode, table, tuning, parts).calibrated
    if tuning.thresholds is not None:
        (by_thresholds,) = (each for each in sets if each.suffix == TUNED)
        _add_tuned_cells(label_mode.thresholds_by_class(tuning.thresholds), rows, by_thresholds)
    return Evaluation(
        samples=len(table),
        metrics=there,
        intervals={name: each for name, each in found.metrics.items() if name in there},
        withheld={name: each for name, each in found.withheld.items() if name in there},
        headlines=[name for name in there if name in headlines],
        undefined=[name for name in metrics if name not in there],
        absent=[str(row["class"]) for row in rows if row["support"] == 0],
        per_class=rows,
        reliability=_reliability_rows(label_mode, table, tuned),
        tuning=tuning,
        units=found.units,
        parts=parts,
    )


def _add_tuned_cells(own: Mapping[str, float], rows: list[Row], tuned: MetricSet) -> None:
    """Each class's rates by the fitted thresholds, and its own threshold where it has one."""
    for row, other in zip(rows, rows_of_classes(tuned.table), strict=True):
        row |= {name + TUNED: other[name] for name in ("precision", "recall", "f1")}
        row["threshold"] = own.get(str(row["class"]))


def _interval_cells(intervals: dict[str, Interval | None]) -> Row:
    cells: Row = {}
    for name, each in intervals.items():
        cells |= {f"{name}_low": each and each.low, f"{name}_high": each and each.high}
    return cells


def _reliability_rows(label_mode: LabelMode, before: Predictions, after: Predictions) -> list[Row]:
    rows: list[Row] = []
    for name, table in (("before", before), ("after", after)):
        diagram = reliability(label_mode, table)
        for index, count in enumerate(diagram.count):
            low, high = diagram.edges[index], diagram.edges[index + 1]
            values = (diagram.confidence[index], diagram.accuracy[index]) if count else (None, None)
            rows.append({
                "calibration": name, "from": low, "to": high, "count": int(count),
                "confidence": values[0], "accuracy": values[1],
            })  # fmt: skip
    return rows
