"""Verdict of a report: what its results say, in a few sentences that the numbers support."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import kendalltau

from sightline.errors import counted
from sightline.metrics.decided import DecidedTable
from sightline.metrics.evaluation import Evaluation
from sightline.metrics.metric_sets import headline_names
from sightline.metrics.registry import registry_of
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.section_inputs import Point

LEVEL = 0.05  # of the tests for a trend
DECIMALS = (2, 4)  # least and most


def verdict(
    evaluated: EvaluatedSplit, found: Evaluation, history: Iterable[Point],
    plugins: Sequence[str] = (),
) -> list[str]:  # fmt: skip
    """Sentences on the result, the curves and the worst class; none where there is too little.

    Args:
        evaluated: the split.
        found: its evaluation.
        history: metrics of each epoch; empty for an evaluation.
        plugins: packages with metrics of their own.
    """
    sentences = [
        result_words(evaluated, found, plugins),
        overfitting_words(history),
        worst_class_words(found.per_class, evaluated.tuning.suffix),
    ]
    return [each for each in sentences if each]


def result_words(
    evaluated: EvaluatedSplit, found: Evaluation, plugins: Sequence[str] = ()
) -> str | None:
    """The first headline metric with its interval, beside that of one answer for every sample.

    The constant answer is the best one on this split: the commonest class, or for labels that do
    not exclude each other the commoner state of each.
    """
    name = headline_names(evaluated.label_mode, evaluated.tuning, plugins)[0]
    value, interval = found.metrics.get(name), found.intervals.get(name)
    if value is None:
        return None
    ends = (interval.low, interval.high) if interval else None
    samples = counted(found.samples, "image")
    units = "" if found.units.endswith(" samples") else f" ({found.units})"
    words = f"{name} {rounded(value, ends)} on {samples} of {evaluated.split}{units}"
    if evaluated.split == "val":
        words += ", by which the checkpoint was chosen"
    if name in found.withheld:
        words += f", too few for an interval: {found.withheld[name]}"
    answer, constant = constant_answer(evaluated, plugins)
    if math.isnan(constant):
        return words
    words += f"; always answering {answer} gives {_number(constant, ends)}"
    if ends and ends[0] <= constant <= ends[1]:
        words += ", which is inside the interval"
    return words


def constant_answer(evaluated: EvaluatedSplit, plugins: Sequence[str] = ()) -> tuple[str, float]:
    """The best single answer for all samples, in words, and its value of the first metric.

    The value is NaN where the metric has none of a constant answer.
    """
    truth = evaluated.truth
    known = ~np.isnan(truth)
    shares = np.nan_to_num(truth).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    constant = replace(evaluated.table, probs=np.tile(shares, (len(truth), 1)))
    table = DecidedTable(evaluated.label_mode, constant)
    metric = registry_of(plugins).of(evaluated.label_mode, "epoch")[0]
    return evaluated.as_text(table.preds[0].numpy()), metric.value(table)


def overfitting_words(history: Iterable[Point]) -> str | None:
    """Whether val/loss rises after its lowest value while train/loss falls; None where neither.

    A trend is one-sided Mann-Kendall's (1945), of the epochs after the lowest: at least four, since
    of fewer no order is unlikely. The lowest one itself is left out, which was chosen.
    """
    losses: dict[str, dict[int, float]] = {"val/loss": {}, "train/loss": {}}
    for key, epoch, value in history:
        if key in losses:
            losses[key][epoch] = value
    val, train = losses["val/loss"], losses["train/loss"]
    epochs = [epoch for epoch in sorted(val) if math.isfinite(val[epoch])]
    if len(epochs) < 2:
        return None
    lowest = min(epochs, key=lambda epoch: val[epoch])
    after = [epoch for epoch in epochs if epoch > lowest and epoch in train]
    if not after:
        return f"val/loss was lowest in the last of {len(epochs)} epochs: more epochs may lower it"
    if not (_trend(after, val, "greater") and _trend(after, train, "less")):
        return None
    return (
        f"overfits from epoch {after[0] + 1}: val/loss rises from {val[lowest]:.3g} to "
        f"{val[after[-1]]:.3g} while train/loss falls"
    )


def worst_class_words(rows: Sequence[Mapping[str, object]], suffix: str = "") -> str | None:
    """The class with the lowest recall; None where several have it, or one class has samples.

    Args:
        rows: one a class: `class`, `support` and `recall`, with its ends where there are some.
        suffix: of the columns of the run's decision rule.
    """
    key = f"recall{suffix}"
    found = [row for row in rows if row["support"] and _finite(row.get(key)) is not None]
    found.sort(key=lambda row: float(row[key]))  # type: ignore[arg-type]
    if len(found) < 2 or found[0][key] == found[1][key]:
        return None
    worst = found[0]
    low, high = _finite(worst.get(f"{key}_low")), _finite(worst.get(f"{key}_high"))
    ends = (low, high) if low is not None and high is not None else None
    recall = rounded(float(worst[key]), ends)  # type: ignore[arg-type]
    samples = counted(int(worst["support"]), "image")  # type: ignore[call-overload]
    return f"worst class {worst['class']}: recall {recall} of {samples}"


def _trend(epochs: Sequence[int], values: Mapping[int, float], direction: str) -> bool:
    series = [values[epoch] for epoch in epochs]
    if len(set(series)) < 2:
        return False
    return bool(kendalltau(epochs, series, alternative=direction).pvalue < LEVEL)


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def rounded(value: float, ends: tuple[float, float] | None) -> str:
    """A value and its interval, in as many decimals as the interval's width warrants.

    Args:
        value: of a metric.
        ends: of its interval; None where there is none.
    """
    if ends is None:
        return _number(value, None)
    return f"{_number(value, ends)} [{_number(ends[0], ends)}, {_number(ends[1], ends)}]"


def _number(value: float, ends: tuple[float, float] | None) -> str:
    least, most = DECIMALS
    decimals = most
    if ends is not None and ends[1] > ends[0]:
        decimals = min(most, max(least, -math.floor(math.log10((ends[1] - ends[0]) / 2))))
    return f"{value:.{decimals}f}"
