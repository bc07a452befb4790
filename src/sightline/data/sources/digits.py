"""scikit-learn's bundled digits (UCI, Alpaydin and Kaynak 1998): 1,797 of 8×8 pixels, real.

The three label modes ask three questions of the same pictures. Splits are drawn first, stratified
by digit; the multilabel canvases are then composed from each split's own digits, so no handwritten
digit is ever seen in two splits.
"""

from typing import Annotated

import numpy as np
from pydantic import Field
from sklearn.datasets import load_digits

from sightline.data.source import SPLITS, ArrayImages, SourceData, Split, take
from sightline.data.splits import stratified_holdout
from sightline.errors import UserError

DIGITS = tuple(str(digit) for digit in range(10))
CELL = (
    16  # pixels: a canvas is 2 × 2 cells, each holding at most one digit of 8×8, doubled to 16×16
)
Fraction = Annotated[float, Field(gt=0, lt=1)]


def read_digits(
    label_mode: str,
    split_seed: int,
    val_fraction: Fraction,
    test_fraction: Fraction,
    canvases: tuple[int, int, int],
) -> SourceData:
    """The digits as the label mode asks for them.

    Args:
        label_mode: multiclass: which digit; binary: even or odd; multilabel: which digits are on
            a canvas of 32×32 pixels composed of one to four of them (see `compose`).
        split_seed: governs splits and composition.
        val_fraction: share of all pictures held out for validation.
        test_fraction: share of all pictures held out for the test.
        canvases: multilabel: how many canvases for train, val and test.
    """
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    digits = bunch.target.astype(np.int64)
    positions = _split(digits, split_seed, val_fraction, test_fraction)
    if label_mode == "multilabel":
        splits = {
            name: compose(images[where], digits[where], count, (split_seed, index))
            for index, (name, where, count) in enumerate(
                zip(SPLITS, positions, canvases, strict=True)
            )
        }
        return SourceData("digits", "scikit-learn", DIGITS, splits, img_size=2 * CELL)
    names, targets = {
        "multiclass": (DIGITS, digits),
        "binary": (("even", "odd"), digits % 2),
    }.get(label_mode, ((), digits))
    if not names:
        raise UserError(f"data=digits has no targets for label_mode={label_mode}.")
    splits = {
        name: take([f"digits/{i:04d}" for i in where], targets[where], ArrayImages(images[where]))
        for name, where in zip(SPLITS, positions, strict=True)
    }
    return SourceData("digits", "scikit-learn", names, splits, img_size=2 * CELL)


def compose(images: np.ndarray, digits: np.ndarray, count: int, seed: tuple[int, int]) -> Split:
    """Canvases of 32×32 pixels, each with one to four different source pictures.

    For each canvas: the number of digits is uniform in 1..4, the source pictures are drawn without
    replacement, and each goes, enlarged to 16×16 (every pixel doubled), into a cell of its own on
    the 2×2 grid. The target marks which digits are there; the same digit may be there twice.

    Args:
        images: shape (N, 8, 8), uint8: the split's own digits.
        digits: shape (N,), what they show.
        count: number of canvases.
        seed: governs every draw.
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


def _split(
    digits: np.ndarray, seed: int, val_fraction: float, test_fraction: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if val_fraction + test_fraction >= 1:
        raise UserError("data.val_fraction + data.test_fraction: nothing is left to train on.")
    rest, test = stratified_holdout(digits, test_fraction, seed, DIGITS, "test")
    share = val_fraction / (1 - test_fraction)
    train, val = stratified_holdout(digits[rest], share, seed, DIGITS, "val")
    return rest[train], rest[val], test
