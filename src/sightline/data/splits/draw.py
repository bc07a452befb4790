"""A part of the training samples, drawn: nested, stratified in every label mode, whole groups.

One seed puts the samples in one order; a part is the start of it. So of one seed a smaller part is
within each larger one. Val and test are not touched.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sightline.config.schema import DataConfig
from sightline.data.source_data import SourceData, Split
from sightline.data.splits.draw_order import first_samples
from sightline.data.splits.draw_per_class import labels_of_units, scarce_labels, so_many_each
from sightline.errors import UserError, counted


def draw_train(source: SourceData, config: DataConfig) -> SourceData:
    """The same data with the part of train that `config` asks for, and all of it as `drawn_from`.

    Args:
        source: with all its splits.
        config: `train_fraction` or `per_class`, and `draw_seed`; with neither nothing is drawn.

    Raises:
        UserError: a class would be left without a sample, or has fewer than `per_class`.
    """
    train = source.splits["train"]
    if config.per_class is not None:
        chosen = _per_class(train, source.class_names, config.per_class, config.draw_seed)
    elif config.train_fraction not in (None, 1.0):
        assert config.train_fraction is not None
        chosen = _fraction(train, source.class_names, config.train_fraction, config.draw_seed)
    else:
        return source
    drawn = train.select(np.flatnonzero(chosen))
    return replace(source, splits=source.splits | {"train": drawn}, drawn_from=train)


def _fraction(train: Split, names: tuple[str, ...], fraction: float, seed: int) -> np.ndarray:
    """Shape (N,), whether each sample is in the part."""
    there = _labels_there(train, np.ones(len(train), bool))

    def absent(count: int) -> np.ndarray:
        drawn = first_samples(train.targets, train.groups, count, seed)
        return np.flatnonzero(there & ~_labels_there(train, drawn))

    count = round(fraction * len(train))
    chosen = first_samples(train.targets, train.groups, count, seed)
    missing = absent(count)
    if len(missing) or not chosen.any():
        least = _least(lambda each: len(absent(each)) == 0, count, len(train))
        without = names[missing[0]] if len(missing) else ""
        more = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
        raise UserError(
            f"data.train_fraction={fraction:g} is {chosen.sum():,} of "
            f"{counted(len(train), 'training image')}"
            + (f", which leaves the class {without!r}{more} without an image" if without else "")
            + f". The smallest fraction that works with data.draw_seed={seed} is "
            f"{_rounded_up(least, len(train)):g} "
            f"({first_samples(train.targets, train.groups, least, seed).sum():,} images); "
            "data.per_class=1 draws of each class."
        )
    return chosen


def _labels_there(train: Split, chosen: np.ndarray) -> np.ndarray:
    """Shape (L,), whether each class has one of the chosen samples."""
    targets = train.targets
    if targets.ndim == 2:
        there: np.ndarray = (targets[chosen] == 1).any(axis=0)
        return there
    return np.bincount(targets[chosen], minlength=int(targets.max()) + 1) > 0


def _least(works: Callable[[int], bool], low: int, high: int) -> int:
    """The least count over `low` that works, by bisection: parts are nested. `high` works."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


def _rounded_up(count: int, total: int) -> float:
    """A fraction of few digits that is `count` samples of `total`, or hardly more."""
    scale = 10 ** len(str(total))
    return min(1.0, -(-count * scale // total) / scale)


def _per_class(train: Split, names: tuple[str, ...], wanted: int, seed: int) -> np.ndarray:
    """Shape (N,), whether each sample is in the part."""
    units = labels_of_units(train.targets, train.groups)
    few = scarce_labels(units, wanted, len(names))
    if few:
        label, count = min(few.items(), key=lambda each: each[1])
        more = f", and {len(few) - 1:,} more have fewer than {wanted:,}" if len(few) > 1 else ""
        raise UserError(
            f"data.per_class={wanted}: the class {names[label]!r} has only "
            f"{counted(count, 'training image')}{more}. Expected {count:,} at most; "
            "data.train_fraction draws from each class in proportion."
        )
    return so_many_each(units, wanted, seed)
