"""scikit-learn's bundled digits (UCI, Alpaydin and Kaynak 1998): 1,797 of 8×8 pixels, real.

The three label modes ask three questions of the same images. The data is split first, stratified
by digit; the multilabel canvases are then composed from each split's own digits, so no handwritten
digit is ever seen in two splits.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.datasets import load_digits

from sightline.data.reading.images import ArrayImages
from sightline.data.source_data import SPLITS, SourceData, Split, take
from sightline.errors import UserError

DIGITS = tuple(str(digit) for digit in range(10))
CELL = 16  # pixels: a canvas is 2 × 2 cells, each holding at most one digit of 8×8, doubled


def read_digits(label_mode: str, split_seed: int, canvases: tuple[int, int, int]) -> SourceData:
    """The digits with the targets of the label mode.

    Args:
        label_mode: multiclass: which digit; binary: even or odd; multilabel: which digits are on
            a canvas of 32×32 pixels composed of one to four of them (see `compose`).
        split_seed: governs the composition.
        canvases: multilabel: how many canvases for train, val and test.
    """
    if label_mode not in ("multiclass", "binary", "multilabel"):
        raise UserError(f"data=digits has no targets for label_mode={label_mode}.")
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    ids = [f"digits/{index:04d}" for index in range(len(images))]
    split = take(ids, bunch.target.astype(np.int64), ArrayImages(images))
    names, finish = {
        "multiclass": (DIGITS, None),
        "binary": (("even", "odd"), _parity),
        "multilabel": (DIGITS, partial(_canvases, counts=canvases, seed=split_seed)),
    }[label_mode]
    return SourceData("digits", "scikit-learn", names, {"train": split}, 2 * CELL, finish)


def _parity(name: str, split: Split) -> Split:
    return replace(split, targets=split.targets % 2)


def _canvases(name: str, split: Split, counts: tuple[int, int, int], seed: int) -> Split:
    index = SPLITS.index(name)
    assert isinstance(split.images, ArrayImages)
    images = split.images.array[split.rows]
    return compose(images, split.targets, counts[index], (seed, index))


def compose(images: np.ndarray, digits: np.ndarray, count: int, seed: tuple[int, int]) -> Split:
    """Canvases of 32×32 pixels, each with one to four different source images.

    For each canvas: the number of digits is uniform in 1..4, the source images are sampled without
    replacement, and each goes, enlarged to 16×16 (every pixel doubled), into a cell of its own on
    the 2×2 grid. The target marks which digits are there; the same digit may be there twice.

    Args:
        images: shape (N, 8, 8), uint8: the split's own digits.
        digits: shape (N,), what they show.
        count: number of canvases.
        seed: of every random choice.
    """
    rng = np.random.default_rng(seed)
    canvases = np.zeros((count, 2 * CELL, 2 * CELL), dtype=np.uint8)
    targets = np.zeros((count, len(DIGITS)), dtype=np.int64)
    for canvas, target in zip(canvases, targets, strict=True):
        number = rng.integers(1, 5)
        sources = rng.choice(len(images), size=number, replace=False)
        cells = rng.choice(4, size=number, replace=False)
        for source, cell in zip(sources, cells, strict=True):
            top, left = CELL * (cell // 2), CELL * (cell % 2)
            enlarged = images[source].repeat(2, axis=0).repeat(2, axis=1)
            canvas[top : top + CELL, left : left + CELL] = enlarged
            target[digits[source]] = 1
    return take([f"canvas/{i:05d}" for i in range(count)], targets, ArrayImages(canvases))
