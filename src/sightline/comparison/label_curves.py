"""Label-efficiency curves: a metric over the number of training images of runs on parts of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sightline.comparison.compared_run import ComparedRun, bare_name
from sightline.comparison.config_columns import config_columns
from sightline.comparison.estimates import Estimate, estimate
from sightline.comparison.grouping import config_of, group_key
from sightline.comparison.power_law import FittedLaw, fit_with_resamples
from sightline.config.decided import TRAIN
from sightline.config.influence import FRACTION, PER_CLASS, TRAIN_IMAGES, group_digest
from sightline.reports.parts import Cell, Table

POINT = 0.01  # of a metric from 0 to 1
SHARE = 0.1  # of the error, of any other metric
LEAST_SIZES = 4  # one more than the law has parameters
LACK_OF_FIT = 0.01  # p under which the law does not hold
MOST = 100  # times as many labels: what is beyond is not said
NAME = "label_curves"


@dataclass(frozen=True)
class LabelCurve:
    """Runs of one config on parts of the training images.

    Attributes:
        name: what tells it from other curves; empty where it is the only one.
        metric: its key.
        maximise: whether more is better.
        bounds: the metric's least and greatest value.
        counts: training images, ascending; of groups of runs the median.
        estimates: of the groups.
    """

    name: str
    metric: str
    maximise: bool
    bounds: tuple[float, float]
    counts: tuple[int, ...]
    estimates: tuple[Estimate, ...]

    def errors(self, values: np.ndarray) -> np.ndarray:
        """The errors of values of the metric, and the values of errors: it is its own inverse.

        What is better when less is an error itself.
        """
        return self.bounds[1] - values if self.maximise else values

    @cached_property
    def why_not(self) -> str | None:
        """Why no law is fitted; None where one is."""
        if self.maximise and not math.isfinite(self.bounds[1]):
            return "the metric has no greatest value, so its error is not known"
        if len(self.counts) < LEAST_SIZES:
            return f"{LEAST_SIZES} numbers of training images or more are needed"
        if all(len(each.values) < 2 for each in self.estimates):
            return "two runs (seeds, draws) or more of one size are needed, for their spread"
        if min(self.errors(np.array([each.mean for each in self.estimates]))) <= 0:
            return "an error is 0"
        return None

    @cached_property
    def law(self) -> FittedLaw | None:
        """The power law of its error, and its uncertainty; None where none is fitted."""
        if self.why_not is not None:
            return None
        errors = [self.errors(np.array(each.values)).tolist() for each in self.estimates]
        return fit_with_resamples(self.counts, errors)

    @property
    def sentence(self) -> str:
        """How many more labels give a point more, or that this cannot be said, and why."""
        name, law, now = bare_name(self.metric), self.law, self.counts[-1]
        start = f"{self.name}: " if self.name else ""
        if law is None:
            return f"{start}how many labels more would help cannot be said: {self.why_not}."
        in_points = self.maximise and self.bounds == (0.0, 1.0)
        here = float(law.law.at(np.array([now]))[0, 0])
        wanted = f"+1 point of {name}" if in_points else f"{SHARE:.0%} less error in {name}"
        if law.p < LACK_OF_FIT:
            because = f"the values lie off a power law (p = {law.p:.2g}, lack of fit)"
            return f"{start}how many more labels give {wanted} cannot be said: {because}."
        more, low, high = law.more_labels(now, POINT if in_points else SHARE * here)
        if not max(more, high) < MOST * now:
            least = f", but {rounded(low)} or more" if low < MOST * now else ""
            because = f"the curve may level off before{least}"
            return f"{start}how many more labels give {wanted} cannot be said: {because}."
        return (
            f"{start}about {rounded(more)} more labels for {wanted}, between {rounded(low)} and "
            f"{rounded(high)} (95 %; from {now:,} on)"
        )


def rounded(count: float) -> str:
    """A number in two digits, from 1."""
    whole = max(1, round(count))
    places = max(0, len(str(whole)) - 2)
    return f"{round(whole, -places):,}"


def label_curves(
    runs: Sequence[ComparedRun], metric: str, maximise: bool, bounds: tuple[float, float]
) -> list[LabelCurve]:
    """The curves of runs on two or more parts of the training images.

    Args:
        runs: that have the metric, none the repeat of another.
        metric: its key.
        maximise: whether more is better.
        bounds: its least and its greatest value.
    """
    found: dict[str, dict[str, list[ComparedRun]]] = {}
    for run in runs:
        if run.params.get(TRAIN_IMAGES, "").isdigit():
            sizes = found.setdefault(group_digest(_beside_size(run)), {})
            sizes.setdefault(group_key(run), []).append(run)
    several = {digest: sizes for digest, sizes in found.items() if len(sizes) > 1}
    first = [_beside_size(next(iter(sizes.values()))[0]) for sizes in several.values()]
    rows = config_columns(first, list(several))[1] if len(first) > 1 else [{} for _ in first]
    names = [", ".join(f"{k.rpartition('.')[2]}={v}" for k, v in row.items()) for row in rows]
    curves = []
    for name, sizes in zip(names, several.values(), strict=True):
        by_count = {
            int(np.median([int(run.params[TRAIN_IMAGES]) for run in members])): members
            for members in sizes.values()
        }
        counts = tuple(sorted(by_count))
        estimates = tuple(estimate(by_count[count], metric, bounds) for count in counts)
        curves.append(LabelCurve(name, metric, maximise, bounds, counts, estimates))
    return [curve for curve in curves if len(curve.counts) > 1]


def _beside_size(run: ComparedRun) -> dict[str, str]:
    """The config of a run, but for how much it was trained on."""
    return {k: v for k, v in config_of(run).items() if k not in (FRACTION, PER_CLASS, TRAIN)}


def curves_table(curves: Sequence[LabelCurve]) -> Table:
    """A row for each number of training images of each curve, for programs and for reading."""
    metric = curves[0].metric
    columns = [
        *(["config"] if len(curves) > 1 else []), "training images", "runs", metric, "± 95 %",
        "fitted", "fitted low", "fitted high",
    ]  # fmt: skip
    rows: list[list[Cell]] = []
    for curve in curves:
        fitted = fitted_values(curve, np.array(curve.counts))
        for place, (count, each) in enumerate(zip(curve.counts, curve.estimates, strict=True)):
            numbers: list[Cell] = [None] * 3
            if fitted is not None:
                numbers = [float(f"{values[place]:.6g}") for values in fitted]
            start: list[Cell] = [curve.name] if len(curves) > 1 else []
            rows.append([
                *start, count, len(each.values), float(f"{each.mean:.6g}"),
                None if each.half_width is None else float(f"{each.half_width:.3g}"), *numbers,
            ])  # fmt: skip
    return Table(NAME, "By the number of training images", columns, rows)


def fitted_values(
    curve: LabelCurve, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The fitted metric at numbers of labels, and the ends of its 95 % interval."""
    law = curve.law
    if law is None:
        return None
    low, high = law.interval(counts)
    value, one, other = (curve.errors(each) for each in (law.law.at(counts)[0], low, high))
    return value, np.minimum(one, other), np.maximum(one, other)
