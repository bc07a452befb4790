"""Metrics of many resamples of one table at once, in NumPy and SciPy alone.

A resample gives each sample a weight: how often it was drawn. A metric is prepared once from the
table and then computed for a block of resamples together; with all weights 1 it is the value that
the label mode's own `metrics` gives (a test holds them to each other).
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import sparse

from sightline.predictions import Predictions

Resampled = Callable[[np.ndarray], np.ndarray]  # weights (N, R), float32 -> values (R,)


def prepare(metric: str, table: Predictions) -> Resampled | None:
    """A metric of the table as a function of resamples; None where it has no such form here.

    Args:
        metric: its name without a split.
        table: of any label mode.
    """
    if metric in SAMPLE_MEANS:
        return partial(_mean, *SAMPLE_MEANS[metric](table))
    if metric in RANKINGS:
        columns = RANKED_COLUMNS[table.label_mode](len(table.class_names))
        return _Ranked(table, RANKINGS[metric], columns)
    if metric in COUNTED:
        return _Counted(table, COUNTED[metric])
    return None


def outcomes(metric: str, table: Predictions) -> np.ndarray | None:
    """Of a metric that is a share of samples, which samples count, (N,) of bool; else None."""
    if metric not in SAMPLE_MEANS:
        return None
    sums, counts = SAMPLE_MEANS[metric](table)
    plain = bool(np.all(counts == 1) and np.all((sums == 0) | (sums == 1)))
    return sums == 1 if plain else None


def draw(samples: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Weights (N, R), float32: how often each sample is drawn when N are, with replacement."""
    drawn = rng.integers(samples, size=(resamples, samples), dtype=np.int32)
    drawn += np.arange(resamples, dtype=np.int32)[:, None] * np.int32(samples)
    counts = np.bincount(drawn.ravel(), minlength=resamples * samples)
    return np.ascontiguousarray(counts.reshape(resamples, samples).T, dtype=np.float32)


def _decided(table: Predictions) -> np.ndarray:
    """Decisions in the form of the targets: the first of the most probable, or what is over 0.5."""
    if table.targets.ndim == 1:
        return table.probs.argmax(axis=1)
    return (table.probs > 0.5).astype(np.int64)


def _known(table: Predictions) -> np.ndarray:
    return table.targets >= 0


def _right(table: Predictions) -> np.ndarray:
    return (_decided(table) == table.targets) | ~_known(table)


# Means over samples: the sum and the count of each sample.


def _mean(sums: np.ndarray, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    values: np.ndarray = (sums @ weights) / (counts @ weights)
    return values


def _by_answer(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a value for each answer, the sum and the count of each sample."""
    shape = (len(values), -1)
    sums = np.where(known, values, 0.0).reshape(shape).sum(axis=1)
    return sums.astype(np.float32), known.reshape(shape).sum(axis=1).astype(np.float32)


def _accuracy(table: Predictions) -> tuple[np.ndarray, np.ndarray]:
    return _by_answer(_right(table).astype(np.float64), _known(table))


def _whole_rows(table: Predictions) -> tuple[np.ndarray, np.ndarray]:
    right: np.ndarray = _right(table).reshape(len(table), -1).all(axis=1).astype(np.float32)
    return right, np.ones_like(right)


def _log_loss(table: Predictions) -> tuple[np.ndarray, np.ndarray]:
    tiny = np.finfo(np.float32).tiny
    probs = table.probs.astype(np.float64)
    if table.targets.ndim == 1:
        of_target = probs[np.arange(len(table)), table.targets]
    else:
        of_target = np.where(table.targets == 1, probs, 1 - probs)
    return _by_answer(-np.log(np.maximum(of_target, tiny)), _known(table))


SAMPLE_MEANS: dict[str, Callable[[Predictions], tuple[np.ndarray, np.ndarray]]] = {
    "accuracy": _accuracy,
    "accuracy_subset": _whole_rows,
    "loss": _log_loss,
    "log_loss": _log_loss,
}


# Functions of how often each class is rightly decided, decided, and there.


class _Counted:
    """Counts by class of each resample, and a metric of them.

    Args:
        metric: (rightly decided, decided, there), each (C, R) -> (R,).
    """

    def __init__(self, table: Predictions, metric: "Count") -> None:
        classes, count = len(table.class_names), len(table)
        decided = _decided(table)
        if table.targets.ndim == 1:
            samples = np.arange(count)
            pairs = [
                (table.targets[decided == table.targets], samples[decided == table.targets]),
                (decided, samples),
                (table.targets, samples),
            ]
        else:
            known = _known(table)
            there = table.targets == 1
            answers = [(decided == 1) & there, (decided == 1) & known, there]
            pairs = [(answer.T.nonzero()[0], answer.T.nonzero()[1]) for answer in answers]
        self.matrix = sparse.vstack([
            sparse.csr_array((np.ones(len(rows), np.float32), (rows, columns)), (classes, count))
            for rows, columns in pairs
        ]).tocsr()  # fmt: skip
        self.metric = metric
        self.classes = classes

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        counts = (self.matrix @ weights).astype(np.float64)
        right, decided, there = np.split(counts, 3)
        return self.metric(right, decided, there)


Count = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """0 where nothing is divided by nothing."""
    values: np.ndarray = np.divide(over, under, out=np.zeros_like(over), where=under > 0)
    return values


def _precision(right: np.ndarray, decided: np.ndarray, there: np.ndarray) -> np.ndarray:
    return _ratio(right, decided)


def _recall(right: np.ndarray, decided: np.ndarray, there: np.ndarray) -> np.ndarray:
    return _ratio(right, there)


def _f1(right: np.ndarray, decided: np.ndarray, there: np.ndarray) -> np.ndarray:
    return _ratio(2 * right, decided + there)


def _macro(of_class: Count, *counts: np.ndarray) -> np.ndarray:
    """The mean over the classes that are there."""
    there = counts[2] > 0
    sums: np.ndarray = (of_class(*counts) * there).sum(axis=0)
    return _ratio(sums, there.sum(axis=0).astype(np.float64))


def _weighted(of_class: Count, *counts: np.ndarray) -> np.ndarray:
    return _ratio((of_class(*counts) * counts[2]).sum(axis=0), counts[2].sum(axis=0))


def _micro(of_class: Count, *counts: np.ndarray) -> np.ndarray:
    return of_class(*(each.sum(axis=0) for each in counts))


def _positive(of_class: Count, *counts: np.ndarray) -> np.ndarray:
    """Of the last class alone."""
    return of_class(*(each[-1] for each in counts))


def _agreement(right: np.ndarray, decided: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Cohen's kappa of one-of-C tables."""
    total = there.sum(axis=0)
    observed = right.sum(axis=0) / total
    expected = (decided * there).sum(axis=0) / total**2
    return _ratio(observed - expected, 1 - expected)


def _correlation(right: np.ndarray, decided: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Matthews' coefficient of C classes (Gorodkin 2004)."""
    total = there.sum(axis=0)
    over = right.sum(axis=0) * total - (decided * there).sum(axis=0)
    under = (total**2 - (decided**2).sum(axis=0)) * (total**2 - (there**2).sum(axis=0))
    return _ratio(over, np.sqrt(np.maximum(under, 0)))


COUNTED: dict[str, Count] = {
    f"{name}{suffix}": partial(average, of_class)
    for name, of_class in {"precision": _precision, "recall": _recall, "f1": _f1}.items()
    for suffix, average in {
        "_macro": _macro, "_weighted": _weighted, "_micro": _micro, "": _positive,
    }.items()
} | {
    "balanced_accuracy": partial(_macro, _recall),
    "cohen_kappa": _agreement,
    "matthews": _correlation,
}  # fmt: skip


# Functions of the order that a class's probability puts the samples in.

Ranking = Callable[[np.ndarray, np.ndarray], np.ndarray]


class _Ranked:
    """The mean of a ranking metric over the classes where it is defined.

    Args:
        ranking: (hits, false), how many positives and negatives are decided at each threshold,
            (thresholds, R), the highest first -> (R,), NaN where undefined.
        columns: the classes.
    """

    def __init__(self, table: Predictions, ranking: Ranking, columns: range) -> None:
        self.ranking = ranking
        self.columns = []
        for column in columns:
            one_of = table.targets.ndim == 1
            truth = table.targets == column if one_of else table.targets[:, column] == 1
            order = np.argsort(-table.probs[:, column], kind="stable")
            if not one_of:
                order = order[_known(table)[order, column]]
            scores = table.probs[order, column]
            last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
            self.columns.append((order, truth[order].astype(np.float32), last))

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        values = []
        for order, truth, last in self.columns:
            drawn = weights[order]
            positives = drawn * truth[:, None]
            hits = np.cumsum(positives, axis=0, dtype=np.float32)[last].astype(np.float64)
            drawn -= positives
            false = np.cumsum(drawn, axis=0, dtype=np.float32)[last].astype(np.float64)
            values.append(self.ranking(hits, false))
        stacked = np.stack(values)
        defined = np.isfinite(stacked)
        sums = np.where(defined, stacked, 0).sum(axis=0)
        count = defined.sum(axis=0)
        return np.divide(sums, count, out=np.full(len(sums), np.nan), where=count > 0)


def _auroc(hits: np.ndarray, false: np.ndarray) -> np.ndarray:
    """The trapezoids under the ROC curve."""
    widths = np.diff(false, axis=0, prepend=0)
    before = np.vstack([np.zeros_like(hits[:1]), hits[:-1]])
    area = (widths * (hits + before) / 2).sum(axis=0)
    under = hits[-1] * false[-1]
    return np.divide(area, under, out=np.full(len(area), np.nan), where=under > 0)


def _average_precision(hits: np.ndarray, false: np.ndarray) -> np.ndarray:
    """Precision where recall grows, weighted by how much."""
    steps = np.diff(hits, axis=0, prepend=0)
    total = hits[-1]
    area = (steps * _ratio(hits, hits + false)).sum(axis=0)
    return np.divide(area, total, out=np.full(len(area), np.nan), where=total > 0)


RANKINGS: dict[str, Ranking] = {
    "auroc_macro": _auroc,
    "average_precision_macro": _average_precision,
}
# The classes that the rankings' macro averages are over: of a binary table the positive one.
RANKED_COLUMNS: dict[str, Callable[[int], range]] = {
    "binary": lambda classes: range(classes - 1, classes),
    "multiclass": range,
    "multilabel": range,
}
