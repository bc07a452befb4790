"""Errors of `sightline compare` in simulated worlds: what it claims, misses and covers.

In each world two configs are trained with several seeds and tested on the same images. An image is
decided rightly where its ease exceeds the run's threshold; the ease is in part the same for all
runs, in part for those of one config, and the seed moves the run's true accuracy by a normal
deviation. Two seeds of one config decide 7 % of images differently, two configs 13 %. Verdicts are
those of the comparison itself, from the runs' answers.

Run: OMP_NUM_THREADS=1 python benchmarks/conclusions.py [worlds]
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.estimates import over_samples
from sightline.comparison.hypothesis_tests import exact_p, mcnemar
from sightline.comparison.leaderboard import Leaderboard, make_leaderboard
from sightline.comparison.pair_tests import compare_pairs
from sightline.comparison.stored_values import StoredValues
from sightline.comparison.verdicts import Pair

ACCURACY = 0.85
SHARED, OF_CONFIG = 0.75, 0.18  # shares of an image's ease; the rest is the run's own
SEED_SDS, SEEDS, IMAGES = (0.0, 0.005, 0.01), (1, 3, 5, 10), (500, 2000, 5000)
METRIC = "test/accuracy"


@dataclass(frozen=True)
class World:
    """Runs of some configs on the same images.

    Attributes:
        board: ranked by their accuracy.
        stored: their answers.
        true: each config's true accuracy, by its place before ranking.
    """

    board: Leaderboard
    stored: StoredValues
    true: tuple[float, ...]

    def pairs(self, margin: float | None = None) -> list[Pair]:
        """The verdicts on the best against all others."""
        return compare_pairs(self.board, len(self.true), "test", self.stored, margin)


def make_world(
    rng: np.random.Generator, true: tuple[float, ...], seeds: int, images: int, deviation: float
) -> World:
    """Train each config with so many seeds.

    Args:
        rng: of everything that is random.
        true: each config's accuracy over all seeds and images.
        seeds: of each config.
        images: that all runs are tested on.
        deviation: of a run's true accuracy over seeds.
    """
    shared = np.sqrt(SHARED, dtype=np.float32) * rng.standard_normal(images, np.float32)
    runs, right = [], {}
    for config, accuracy in enumerate(true):
        ease = shared + np.float32(np.sqrt(OF_CONFIG)) * rng.standard_normal(images, np.float32)
        own = rng.standard_normal((seeds, images), np.float32)
        own *= np.float32(np.sqrt(1 - SHARED - OF_CONFIG))
        reached = np.clip(accuracy + deviation * rng.standard_normal(seeds), 0.001, 0.999)
        answers = ease + own < special.ndtri(reached)[:, None].astype(np.float32)
        for seed, each in enumerate(answers):
            key = f"{config} {seed}"
            right[key] = each
            params = {"config": str(config), "seed": str(seed)}
            runs.append(ComparedRun(key, key, "FINISHED", params, {METRIC: each.mean()}, {}))
    values = {key: float(each.mean()) for key, each in right.items()}
    stored = StoredValues(values, {}, right, samples=images)
    return World(make_leaderboard(runs, METRIC, maximise=True), stored, true)


def claims(worlds: Iterator[World]) -> tuple[float, float, float]:
    """Shares of worlds in which a config, or one of two runs, is called better; and of intervals of
    the first config's mean that hold its true value (NaN where there are none)."""
    of_configs: list[bool] = []
    of_runs: list[bool] = []
    held: list[float] = []
    for world in worlds:
        shown = [pair for pair in world.pairs() if pair.is_shown]
        of_configs.append(any(pair.of_configs for pair in shown))
        of_runs.append(bool(shown))
        group = world.board.groups[0]
        if group.runs[0].params["config"] != "0":  # the first config, whatever its rank
            group = world.board.groups[1]
        found = over_samples(group.score, group.runs, world.stored)
        if found.half_width is not None:
            held.append(float(abs(found.mean - world.true[0]) <= found.half_width))
    return float(np.mean(of_configs)), float(np.mean(of_runs)), float(np.mean(held or [np.nan]))


def equal_configs(count: int) -> None:
    """Superiority that is claimed of equal configs, and whether groups' intervals hold."""
    print("\nTwo equal configs: configs called better (of 1 seed: runs); ± holds the true mean")
    header = [f"n = {images:,}" for images in IMAGES]
    print("| seed sd | seeds | " + " | ".join(f"{h}: better | {h}: ± holds" for h in header) + " |")
    print("|---:" * (2 + 2 * len(IMAGES)) + "|")
    for deviation in SEED_SDS:
        for seeds in SEEDS:
            cells = []
            for images in IMAGES:
                rng = np.random.default_rng([seeds, images, int(1e4 * deviation)])
                true = (ACCURACY, ACCURACY)
                better, of_runs, held = claims(
                    make_world(rng, true, seeds, images, deviation) for _ in range(count)
                )
                cells += [f"{better:.1%}", f"{held:.1%}"]
                if seeds == 1:
                    cells[-2:] = [f"{better:.0%} ({of_runs:.1%})", ""]
            print(f"| {100 * deviation:g} | {seeds} | " + " | ".join(cells) + " |", flush=True)


def true_gap(count: int) -> None:
    """How often a true gap is found, and what is said of its size."""
    print("\nA gap of 1.5 points, 5 seeds of sd 0.3 points, n = 2,000")
    rng = np.random.default_rng(1)
    shown, wrong, of_two = [], [], []
    for _ in range(count):
        world = make_world(rng, (ACCURACY + 0.015, ACCURACY), 5, 2000, 0.003)
        (pair,) = world.pairs()
        right = pair.first.runs[0].params["config"] == "0"
        shown.append(pair.is_shown and right)
        wrong.append(pair.is_shown and not right)
        of_two.append(mcnemar(world.stored.right["0 0"], world.stored.right["1 0"]).p <= 0.05)
    print(f"the better config is named    {np.mean(shown):.1%}")
    print(f"the worse one is named        {np.mean(wrong):.1%}")
    print(f"McNemar of the two seeds 0    {np.mean(of_two):.1%}")


def several_configs(count: int) -> None:
    """The best of eleven equal configs, against all of them."""
    rng = np.random.default_rng(2)
    worlds = (make_world(rng, (ACCURACY,) * 11, 3, 1000, 0.005) for _ in range(count))
    found = claims(worlds)[0]
    print(f"\nEleven equal configs, 3 seeds of sd 0.5, n = 1,000: any called better {found:.1%}")


def margins(count: int) -> None:
    """Equivalence that is claimed of configs that differ by the margin, and of equal ones."""
    print("\nEquivalent within 0.02, 5 seeds of sd 0.3 points, n = 5,000")
    for gap in (0.02, 0.0):
        rng = np.random.default_rng(3)
        found = [
            make_world(rng, (ACCURACY + gap, ACCURACY), 5, 5000, 0.003).pairs(0.02)[0].is_equivalent
            for _ in range(count)
        ]
        print(f"true gap of {100 * gap:g} points: {np.mean(found):.1%}")


def smallest(count: int) -> None:
    """Whether a difference of the size that is said would be shown with power 80 %."""
    rng = np.random.default_rng(4)
    said = [make_world(rng, (ACCURACY, ACCURACY), 5, 2000, 0.003).pairs()[0] for _ in range(count)]
    gap = float(np.median([pair.smallest_shown for pair in said]))
    shown = [make_world(rng, (ACCURACY + gap, ACCURACY), 5, 2000, 0.003).pairs()[0].is_shown
             for _ in range(count)]  # fmt: skip
    print(f"\nShown from {100 * gap:.2f} points (median): at that gap shown {np.mean(shown):.1%}")


def grouped(count: int) -> None:
    """McNemar's false positives where images come in groups."""
    print("\nTwo equal runs, 100 patients: called different by McNemar of groups (of images)")
    for size in (5, 10):
        rng = np.random.default_rng(size)
        codes = np.repeat(np.arange(100), size)
        groups, images = [], []
        for _ in range(count):
            latent = rng.normal(size=(2, 100, 1)) + rng.normal(size=(2, 100, size))
            one, other = (latent < np.sqrt(2)).reshape(2, -1)
            groups.append(mcnemar(one, other, codes).p <= 0.05)
            counts = int((one & ~other).sum()), int((other & ~one).sum())
            images.append(exact_p(*counts) <= 0.05)
        print(f"{size} images each: {np.mean(groups):.1%} ({np.mean(images):.1%})")


if __name__ == "__main__":
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    start = time.perf_counter()
    print(f"{worlds:,} worlds a cell")
    for table in (equal_configs, true_gap, several_configs, margins, smallest, grouped):
        table(worlds)
    print(f"\n{time.perf_counter() - start:.0f} s")
