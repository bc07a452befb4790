"""95 % intervals of a table's metrics, or the reason why none is given.

A share of samples has the mid-P interval, and a mean of shares that of them (`shares`), AUROC the
logit-DeLong one, the calibration error one of simulated tables, and every other metric the
jackknife's on a transformed scale (`estimates`, with the sources). Samples are taken as independent
of each other; where the table has groups, the groups are. A bootstrap's percentiles and BCa cover
less often where data are scarce: the comparison is in benchmarks/README.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.label_modes.base import LabelMode
from sightline.metrics.decided import DecidedTable
from sightline.metrics.estimates import (
    BOUNDS,
    LEVEL,
    Interval,
    delong_interval,
    jackknife_interval,
)
from sightline.metrics.informative import if_informative, why_uninformative
from sightline.metrics.metric import TUNED, Metric
from sightline.metrics.metric_sets import MetricSet, metric_sets
from sightline.metrics.resampling import HELD
from sightline.metrics.scarcity import FEWEST, class_units, few_groups, few_trials
from sightline.metrics.shares import of_jaccard, share_interval
from sightline.metrics.tuning import Tuning
from sightline.metrics.units import BLOCKS, Units
from sightline.predictions import Predictions

FEWEST_BLOCKS = 100  # of a table so large that more would take minutes
WORK = 4e9  # weights times classes that are summed in about 10 s
SHARES = BOUNDS["logit"]
NO_SPREAD = "it does not vary over these samples"


@dataclass(frozen=True)
class Intervals:
    """The intervals of a table's metrics.

    Attributes:
        metrics: by name.
        withheld: by name, what there is too little of for an interval.
        per_class: by column of the per-class table, then by class; None where there is none.
        units: that were taken as independent: "100 groups".
    """

    metrics: dict[str, Interval]
    withheld: dict[str, str]
    per_class: dict[str, list[Interval | None]]
    units: str


def compute_intervals(
    label_mode: LabelMode,
    table: Predictions,
    tuning: Tuning | None = None,
    plugins: Sequence[str] = (),
    level: float = LEVEL,
) -> Intervals:
    """Intervals of the metrics that `evaluate_table` names.

    Args:
        label_mode: of the table.
        table: N samples; uncalibrated.
        tuning: of the model; None: untuned.
        plugins: packages with metrics of their own.
        level: of confidence.
    """
    return intervals_of(metric_sets(label_mode, table, tuning or Tuning(), plugins), level)


def intervals_of(
    parts: Sequence[MetricSet], level: float = LEVEL, per_class: bool = True
) -> Intervals:
    """Intervals of metric sets of one table, of which the first is the untuned one.

    Args:
        parts: the sets.
        level: of confidence.
        per_class: whether those of the per-class table are wanted.
    """
    table = parts[0].table
    units = Units.of(table.predictions)
    few = few_groups(units)
    if few is not None:
        names = [metric.name + part.suffix for part in parts for metric in part.metrics]
        return Intervals({}, dict.fromkeys(names, few), {}, units.name)
    found: dict[str, Interval] = {}
    withheld: dict[str, str] = {}
    waiting: list[tuple[str, Metric, DecidedTable]] = []
    for part in parts:
        for metric in part.metrics:
            name = metric.name + part.suffix
            reason = metric.scarce(part.table, units)
            if reason is not None:
                withheld[name] = reason
            elif metric.has_formula:
                interval = metric.interval(part.table, units, level)
                _keep(found, withheld, name, interval, metric.bounds, units)
            elif metric.not_resampled is None:
                waiting.append((name, metric, part.table))
    left_out, areas = _leave_out(table, waiting, units, per_class)
    for name, metric, decided in waiting:
        value = metric.value(decided)
        if value == value:
            each = jackknife_interval(value, left_out[name], metric.scale, units, level)
            _keep(found, withheld, name, each, metric.bounds, units)
    columns = _per_class(table, areas, units, level) if areas is not None else {}
    for part in parts:
        if per_class and part.suffix == TUNED:
            rates = _rates(part.table, units, level)
            columns |= {name + TUNED: each for name, each in rates.items()}
    return Intervals(found, withheld, columns, units.name)


def _keep(
    found: dict[str, Interval], withheld: dict[str, str], name: str, interval: Interval | None,
    bounds: tuple[float, float], units: Units,
) -> None:  # fmt: skip
    reason = NO_SPREAD if interval is None else why_uninformative(interval, bounds, units)
    if interval is None or reason is not None:
        withheld[name] = reason or NO_SPREAD
    else:
        found[name] = interval


def _leave_out(
    table: DecidedTable, metrics: Sequence[tuple[str, Metric, DecidedTable]], units: Units,
    with_areas: bool,
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:  # fmt: skip
    """Metrics (B,) and each class's average precision (B, C) without each block of units."""
    values: dict[str, list[np.ndarray]] = {name: [] for name, *_ in metrics}
    areas: list[np.ndarray] = []
    most = max(FEWEST_BLOCKS, int(WORK / (len(table) * len(table.label_mode.class_names))))
    for weights in units.leave_out(min(units.count, BLOCKS, most), 0, HELD):
        samples = {id(each): each.resample(weights) for _, _, each in metrics}
        for name, metric, decided in metrics:
            values[name].append(metric.resampled(samples[id(decided)]))
        if with_areas:
            whole = samples.get(id(table)) or table.resample(weights)
            areas.append(whole.areas["average_precision"])
    found = {name: np.concatenate(each) for name, each in values.items()}
    return found, np.concatenate(areas) if areas else None


def _rates(table: DecidedTable, units: Units, level: float) -> dict[str, list[Interval | None]]:
    """Intervals of each class's precision, recall and F1 as shares."""
    found: dict[str, list[Interval | None]] = {name: [] for name in ("precision", "recall", "f1")}
    preds, target = table.preds.numpy(), table.target.numpy()
    for index in range(len(table.label_mode.class_names)):
        decided, present, _ = table.label_mode.one_class(preds, target, index)
        hit = (decided & present).astype(np.float64)
        for name, trials in (
            ("precision", decided),
            ("recall", present),
            ("f1", decided | present),
        ):
            given = present.any() and few_trials(trials, units) is None
            each = share_interval(hit, trials, units, level) if given else None
            each = of_jaccard(each) if each and name == "f1" else each
            found[name].append(if_informative(each, SHARES, units))
    return found


def _per_class(
    table: DecidedTable, left_out: np.ndarray, units: Units, level: float
) -> dict[str, list[Interval | None]]:
    """Intervals of each class: those of its rates and of its areas."""
    found = _rates(table, units, level) | {"auroc": [], "average_precision": []}
    areas = table.areas["average_precision"][0]
    enough = class_units(table, units)[:2].min(axis=0) >= FEWEST
    for index, scores in enumerate(table.ranked_scores):
        sides = scores.misplaced(len(table))
        given = enough[index] and min(units.number(side) for side in sides) >= FEWEST
        ranked = scores.placements(units.codes) if given else None
        auroc = delong_interval([ranked], units, level) if ranked else None
        found["auroc"].append(if_informative(auroc, SHARES, units))
        area, without = float(areas[index]), left_out[:, index]
        average = jackknife_interval(area, without, "logit", units, level) if given else None
        found["average_precision"].append(if_informative(average, SHARES, units))
    return found
