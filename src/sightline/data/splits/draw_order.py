"""An order of samples whose every start is stratified, by class or label, with whole groups."""

import numpy as np

from sightline.data.splits.stratify import assign


def first_samples(
    targets: np.ndarray, groups: np.ndarray | None, count: int, seed: int
) -> np.ndarray:
    """Shape (N,), whether each sample is one of the first `count` in the order of a seed.

    Args:
        targets: shape (N,), class indices; or (N, L) of 0, 1 and MISSING.
        groups: shape (N,), or None. A group is in it where more than half of its samples are among
            the first `count`, so that their number is nearest to `count`.
        count: 0 to N.
        seed: of the order.
    """
    if targets.ndim == 1 and groups is None:
        chosen = np.zeros(len(targets), bool)
        chosen[_spread_order(targets, seed)[:count]] = True
        return chosen
    return _start_of_halves(targets, groups, count, seed)


def shuffled_ranks(targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shape (N,), the place of each sample among those of its class, in a random order, from 0."""
    order = rng.permutation(len(targets))
    order = order[np.argsort(targets[order], kind="stable")]
    sizes = np.bincount(targets)
    ranks = np.empty(len(targets), np.int64)
    ranks[order] = np.arange(len(targets)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return ranks


def _spread_order(targets: np.ndarray, seed: int) -> np.ndarray:
    """Shape (N,), samples in an order in which those of each class lie at equal distances.

    The first of each class lies at random, classes evenly: else all classes of one sample would
    come together.
    """
    rng = np.random.default_rng(seed)
    ranks = shuffled_ranks(targets, rng)
    sizes = np.bincount(targets)
    starts = rng.permutation((np.arange(len(sizes)) + 0.5) / len(sizes))
    return np.argsort((ranks + starts[targets]) / sizes[targets], kind="stable")


def _start_of_halves(
    targets: np.ndarray, groups: np.ndarray | None, count: int, seed: int
) -> np.ndarray:
    """The first samples of an order made of stratified halves, each made of such halves again.

    Only those halves are made in which the end lies.
    """
    units = np.arange(len(targets)) if groups is None else np.unique(groups, return_inverse=True)[1]
    chosen = np.zeros(len(targets), bool)
    here, start = np.arange(len(targets)), 0
    while len(here) and (units[here] != units[here[0]]).any():
        first = _half(targets[here], units[here], groups is None, (seed, start, len(here)))
        if count - start <= first.sum():
            here = here[first]
        else:
            chosen[here[first]] = True
            start += int(first.sum())
            here = here[~first]
    chosen[here] = 2 * (count - start) >= len(here)
    return chosen


def _half(
    targets: np.ndarray, units: np.ndarray, single: bool, place: tuple[int, int, int]
) -> np.ndarray:
    """Shape (N,), whether each sample is in the first of two halves, of which neither is empty.

    Args:
        targets: of two units or more.
        units: shape (N,), of each sample.
        single: whether each sample is a unit of its own.
        place: the seed, and which part of the order this is.
    """
    rng = np.random.default_rng(place)
    part = assign(targets, [0.5, 0.5], None if single else units, int(rng.integers(2**32)))
    first: np.ndarray = part == rng.integers(2)  # the largest group is always in part 0
    if first.all() or not first.any():  # a few samples that have no label in common
        names, codes = np.unique(units, return_inverse=True)
        first = rng.permutation(len(names))[codes] < len(names) // 2
    return first
