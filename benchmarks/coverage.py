"""Coverage of 95 % intervals in simulated worlds whose truth is known.

    python benchmarks/coverage.py [WORLDS] [binary|multiclass|multilabel|groups|calibration ...]
                                  [n=N ...]

Each cell is a population. Its true metrics are those of 300,000 samples; then WORLDS tables of n
samples are drawn, and counted is how often an interval holds the truth, and how often one is given
at all. Wanted: 92 to 98 % wherever at least half of the tables have an interval.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit, softmax

from sightline.label_modes.stored import label_mode_of
from sightline.metrics.decided import DecidedTable
from sightline.metrics.intervals import intervals_of
from sightline.metrics.metric_sets import MetricSet
from sightline.metrics.registry import registry_of
from sightline.metrics.values import values_of
from sightline.predictions import Predictions

LARGE = 300_000
Draw = Callable[[np.random.Generator, int], Predictions]


@dataclass(frozen=True)
class Coverage:
    """Of one metric in one cell.

    Attributes:
        truth: of the population.
        given: share of tables with an interval.
        covered: share of those intervals that hold the truth.
        above, below: share that lies wholly above, and below, the truth.
    """

    truth: float
    given: float
    covered: float
    above: float
    below: float


def binary(prevalence: float, distance: float) -> Draw:
    """Two classes, one score: normal around 0 and around `distance`; calibrated probabilities."""

    def draw(rng: np.random.Generator, n: int) -> Predictions:
        targets = (rng.random(n) < prevalence).astype(np.int64)
        score = rng.normal(size=n) + distance * targets
        p = expit(distance * score - distance**2 / 2 + logit(prevalence))
        return table("binary", targets, np.stack([1 - p, p], axis=1))

    return draw


def multiclass(classes: int, distance: float, rarest: float | None = None) -> Draw:
    """C classes, of which the last has the share `rarest`; calibrated probabilities."""
    share = np.full(classes, 1 / classes)
    if rarest is not None:
        share[:-1], share[-1] = (1 - rarest) / (classes - 1), rarest

    def draw(rng: np.random.Generator, n: int) -> Predictions:
        n = min(n, 20_000_000 // classes)
        targets = rng.choice(classes, size=n, p=share)
        scores = rng.normal(size=(n, classes))
        scores[np.arange(n), targets] += distance
        return table("multiclass", targets, softmax(distance * scores + np.log(share), axis=1))

    return draw


def multilabel(prevalence: Sequence[float], distance: float, missing: float = 0.2) -> Draw:
    """Labels whose scores share a part, so that a sample's answers depend on each other."""

    def draw(rng: np.random.Generator, n: int) -> Predictions:
        targets = (rng.random((n, len(prevalence))) < prevalence).astype(np.int64)
        common = 0.5 * rng.normal(size=(n, 1))
        score = np.sqrt(0.75) * rng.normal(size=targets.shape) + common + distance * targets
        p = expit(distance * score - distance**2 / 2 + logit(np.asarray(prevalence)))
        targets[rng.random(targets.shape) < missing] = -1
        return table("multilabel", targets, p)

    return draw


def grouped(size: int, prevalence: float, distance: float, common: float = 0.7) -> Draw:
    """Binary in groups (patients) of `size` images, which share class and part of the score."""

    def draw(rng: np.random.Generator, n: int) -> Predictions:
        groups = np.arange(n) // size
        targets = (rng.random(groups[-1] + 1) < prevalence).astype(np.int64)[groups]
        shared = rng.normal(size=groups[-1] + 1)[groups]
        score = np.sqrt(common) * shared + np.sqrt(1 - common) * rng.normal(size=n)
        p = expit(distance * (score + distance * targets) - distance**2 / 2 + logit(prevalence))
        found = table("binary", targets, np.stack([1 - p, p], axis=1))
        return replace(found, groups=groups)

    return draw


def sharpened(draw: Draw, power: float) -> Draw:
    """The same with logits times `power`: over-confident where it is over 1."""

    def changed(rng: np.random.Generator, n: int) -> Predictions:
        found = draw(rng, n)
        logits = power * np.log(np.maximum(found.probs, 1e-30))
        return replace(found, probs=softmax(logits, axis=1).astype(np.float32))

    return changed


def table(label_mode: str, targets: np.ndarray, probs: np.ndarray) -> Predictions:
    """A prediction table without groups."""
    names = tuple(f"c{index}" for index in range(probs.shape[1]))
    ids = np.arange(len(targets)).astype(str)
    return Predictions(ids, targets, probs.astype(np.float32), names, label_mode)


def coverage(
    draw: Draw, n: int, worlds: int, names: Sequence[str] = (), seed: int = 0, large: int = LARGE
) -> dict[str, Coverage]:
    """Of each metric's interval.

    Args:
        draw: a table of the population.
        n: samples of a table.
        worlds: tables.
        names: of metrics; empty: all that can have an interval.
        seed: of the draws.
        large: samples that the truth is computed of.
    """
    rng = np.random.default_rng(seed)
    population = draw(rng, large)
    mode = label_mode_of(population)
    metrics = [
        m for m in registry_of().of(mode)
        if (not names or m.name in names) and (m.has_formula or m.not_resampled is None)
    ]  # fmt: skip
    truth = values_of(metrics, DecidedTable(mode, population))
    found: dict[str, list[tuple[float, float]]] = {metric.name: [] for metric in metrics}
    for _ in range(worlds):
        part = MetricSet("", DecidedTable(mode, draw(rng, n)), metrics)
        for name, each in intervals_of([part], per_class=False).metrics.items():
            found[name].append((each.low, each.high))
    return {name: _summary(truth[name], np.array(each), worlds) for name, each in found.items()}


def _summary(truth: float, ends: np.ndarray, worlds: int) -> Coverage:
    if not len(ends):
        return Coverage(truth, 0.0, float("nan"), float("nan"), float("nan"))
    slack = 1e-9 * abs(truth)
    above, below = (
        float((ends[:, 0] > truth + slack).mean()),
        float((ends[:, 1] < truth - slack).mean()),
    )
    return Coverage(truth, len(ends) / worlds, 1 - above - below, above, below)


SIZES = (50, 200, 1000, 5000)
CELLS: dict[str, dict[str, tuple[Draw, Sequence[int]]]] = {
    "binary": {
        f"prevalence {share:g}, distance {distance:g}": (binary(share, distance), SIZES)
        for share, distance in [(0.5, 1.1), (0.5, 2), (0.5, 5), (0.1, 2), (0.1, 4), (0.02, 2.5)]
    },
    "multiclass": {
        "6 classes, accuracy 0.70": (multiclass(6, 1.8), SIZES),
        "6 classes, accuracy 0.94": (multiclass(6, 3), SIZES),
        "6 classes, accuracy 0.994": (multiclass(6, 4.3), SIZES),
        "6 classes, one of 2 %": (multiclass(6, 2, 0.02), SIZES),
        "100 classes, accuracy 0.68": (multiclass(100, 3), SIZES),
    },
    "multilabel": {
        "0.5, 0.3, 0.2": (multilabel([0.5, 0.3, 0.2], 2), SIZES),
        "0.3, 0.1, 0.1, 0.05, 0.05": (multilabel([0.3, 0.1, 0.1, 0.05, 0.05], 2), SIZES),
        "5 labels of 0.02": (multilabel([0.02] * 5, 2), SIZES),
    },
    "groups": {
        **{
            f"{size} images a group, prevalence {share:g}": (
                grouped(size, share, 2), [30 * size, 100 * size]
            )
            for size in (5, 10) for share in (0.5, 0.1)
        },
        "5 images a group, accuracy 0.98": (grouped(5, 0.5, 4), [150, 500]),
    },
    "calibration": {
        f"logits x {power:g}": (sharpened(multiclass(6, 1.8), power), SIZES)
        for power in (1, 1.3, 2)
    } | {
        f"logits x {power:g}, {size} images a group": (
            sharpened(grouped(size, 0.5, 2), power), [30 * size, 100 * size]
        )
        for power in (1.5, 2) for size in (5, 10)
    },
}  # fmt: skip


def main(worlds: int, kinds: Sequence[str], wanted: Sequence[int]) -> None:
    """Print a line for each cell and metric, and how many of each kind are within 92 to 98 %."""
    for kind in kinds or CELLS:
        names = ("ece",) if kind == "calibration" else ()
        all_found: list[Coverage] = []
        for title, (draw, sizes) in CELLS[kind].items():
            for n in [size for size in sizes if size in wanted or not wanted]:
                number = worlds if n < 5000 else max(50, worlds // 4)
                print(f"\n{kind}, {title}, n = {n}, {number} worlds", flush=True)
                for name, each in coverage(draw, n, number, names).items():
                    all_found.append(each)
                    print(f"  {name:28s} {each.truth:7.4f}  {words(each)}", flush=True)
        print(f"\n{kind}: {summary(all_found)}", flush=True)


def summary(found: Sequence[Coverage]) -> str:
    """How many figures are within the wanted range, below and above it, and how much is given."""
    often = [each.covered for each in found if each.given >= 0.5]
    below, above = sum(each < 0.92 for each in often), sum(each > 0.98 for each in often)
    given = float(np.mean([each.given for each in found]))
    return (
        f"{len(often) - below - above} of {len(often)} within 92 to 98 %, {below} below, {above} "
        f"above; {len(found) - len(often)} more are given in fewer than half of the tables; an "
        f"interval is given in {100 * given:.0f} % of all"
    )


def words(each: Coverage) -> str:
    """Coverage and share given; marked where at least half are given and it is not 92 to 98 %."""
    if each.given < 0.01:
        return "too few to say"
    mark = "  !" if each.given >= 0.5 and not 0.92 <= each.covered <= 0.98 else ""
    return (
        f"{100 * each.covered:5.1f} % (above {100 * each.above:.1f}, below {100 * each.below:.1f}),"
        f" given in {100 * each.given:.0f} %{mark}"
    )


if __name__ == "__main__":
    given = sys.argv[1:]
    worlds = int(given.pop(0)) if given and given[0].isdigit() else 2000
    sizes = [int(word.removeprefix("n=")) for word in given if word.startswith("n=")]
    main(worlds, [word for word in given if not word.startswith("n=")], sizes)
