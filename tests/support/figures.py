"""Confusion matrices of trainings in tests: those of one kind are drawn once a process.

Each training draws seven, which takes 40 % of its time here. Of one kind are those with the same
classes and words; their counts alone differ, and no test looks at the pixels of a logged matrix:
`tests/reports` draws its own.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import pytest

from sightline.label_modes.base import ConfusionMatrix
from sightline.reports.canvas import DPI, to_png
from sightline.reports.figures.confusion import By, draw_confusion

LOGGING = ("epochs", "evaluation")  # modules of training.logging that draw matrices
_drawn: dict[Hashable, bytes] = {}


@dataclass(frozen=True)
class _Matrices:
    """In the place of a figure: what is drawn where it is the first of its kind."""

    kind: Hashable
    arguments: tuple[Sequence[ConfusionMatrix], str, By] = field(compare=False)


def _postponed(matrices: Sequence[ConfusionMatrix], title: str, by: By) -> _Matrices:
    kinds = ((m.title, m.rows, m.columns, m.sums_to_n, bool(m.counts.any())) for m in matrices)
    names = str([*kinds])
    return _Matrices((names, re.sub(r"\d+", "N", title), by), (matrices, title, by))


def _to_png(figure: object, dpi: int = DPI) -> bytes:
    if not isinstance(figure, _Matrices):
        return to_png(figure, dpi)  # type: ignore[arg-type]
    kind = (figure, dpi)
    if kind not in _drawn:
        _drawn[kind] = to_png(draw_confusion(*figure.arguments), dpi)
    return _drawn[kind]


def draw_each_kind_once(patch: pytest.MonkeyPatch) -> None:
    """Trainings in this process draw matrices of each kind once, until the patch is undone."""
    for module in LOGGING:
        patch.setattr(f"sightline.training.logging.{module}.draw_confusion", _postponed)
        patch.setattr(f"sightline.training.logging.{module}.to_png", _to_png)
