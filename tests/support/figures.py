"""Confusion matrices of trainings in tests: those of one form are drawn once a session.

Each training draws seven, which takes 40 % of its time here, and one more with each epoch. Of one
form are those with as many classes, labels and words of the title, at one resolution: their counts
and plain names alone differ. No test looks at the pixels of a logged matrix: `tests/reports` draws
its own, and new interpreters draw theirs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from sightline.io.atomic import atomic_path
from sightline.label_modes.base import ConfusionMatrix
from sightline.reports.canvas import DPI, to_png
from sightline.reports.figures.confusion import By, draw_confusion

LOGGING = ("epochs", "evaluation")  # modules of training.logging that draw matrices
PLAIN = re.compile(r"[\w .,:%-]{1,16}", re.ASCII)  # other names are drawn each time


@dataclass(frozen=True)
class _Matrices:
    """In the place of a figure: what is drawn where it is the first of its form."""

    matrices: Sequence[ConfusionMatrix]
    title: str
    by: By

    @property
    def form(self) -> str:
        forms = []
        for matrix in self.matrices:
            names = [name for name in (matrix.title, *matrix.rows, *matrix.columns)
                     if not PLAIN.fullmatch(name)]  # fmt: skip
            forms.append((matrix.counts.shape, matrix.sums_to_n, bool(matrix.counts.any()), names))
        return repr((forms, re.sub(r"\w+", "word", self.title), self.by))


def _to_png(folder: Path, figure: object, dpi: int = DPI) -> bytes:
    if not isinstance(figure, _Matrices):
        return to_png(figure, dpi)  # type: ignore[arg-type]
    path = folder / hashlib.sha256(f"{figure.form} {dpi}".encode()).hexdigest()
    if path.exists():
        return path.read_bytes()
    drawn = to_png(draw_confusion(figure.matrices, figure.title, figure.by), dpi)
    with suppress(OSError), atomic_path(path) as partly:  # a test may have filled the disk
        partly.write_bytes(drawn)
    return drawn


def draw_each_form_once(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Trainings in this process draw matrices of each form once, until the patch is undone.

    Args:
        patch: that does it.
        folder: of drawn figures, which processes share.
    """
    for module in LOGGING:
        patch.setattr(f"sightline.training.logging.{module}.draw_confusion", _Matrices)
        patch.setattr(f"sightline.training.logging.{module}.to_png", partial(_to_png, folder))
