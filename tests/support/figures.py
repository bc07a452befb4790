"""Figures of trainings in tests: those of one form are drawn once a session.

Each training draws seven confusion matrices, and one more with each epoch, its learning rates and a
batch of images, which takes half of its time here. Figures of one form differ by their values and
plain names alone. No test looks at the pixels of these: `tests/reports` draws its own, and new
interpreters draw theirs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from torch import Tensor

from sightline.io.atomic import atomic_path
from sightline.label_modes.base import ConfusionMatrix
from sightline.reports.canvas import DPI, to_png
from sightline.reports.figures.confusion import By, draw_confusion
from sightline.reports.figures.image_grid import draw_samples
from sightline.reports.figures.learning_rates import draw_learning_rates

PLAIN = re.compile(r"[\w .,:%-]{1,16}", re.ASCII)  # figures with other names are drawn each time


@dataclass(frozen=True)
class _Planned:
    """In the place of a figure: what is drawn where it is the first of its form."""

    form: object
    draw: Callable[[], Figure]


def _confusion(matrices: Sequence[ConfusionMatrix], title: str, by: By) -> _Planned:
    forms = [(m.counts.shape, m.sums_to_n, bool(m.counts.any()),
              _odd((m.title, *m.rows, *m.columns))) for m in matrices]  # fmt: skip
    form = ("matrices", forms, re.sub(r"\w+", "word", title), by)
    return _Planned(form, partial(draw_confusion, matrices, title, by))


def _samples(images: Tensor, captions: Sequence[str], title: str) -> _Planned:
    form = ("samples", tuple(images.shape), _odd(captions), title)
    return _Planned(form, partial(draw_samples, images, captions, title))


def _rates(
    steps: Sequence[int], rates: Sequence[Sequence[float]], factors: Sequence[float], title: str
) -> _Planned:
    values = np.asarray(rates)
    form = ("rates", len(factors), len(steps) > 1, np.isfinite(values).all(), (values > 0).all())
    return _Planned(form, partial(draw_learning_rates, steps, rates, factors, title))


def _odd(names: Sequence[str]) -> list[str]:
    return [name for name in names if not PLAIN.fullmatch(name)]


def _to_png(folder: Path, figure: _Planned | Figure, dpi: int = DPI) -> bytes:
    if isinstance(figure, Figure):
        return to_png(figure, dpi)
    path = folder / hashlib.sha256(f"{figure.form} {dpi}".encode()).hexdigest()
    if path.exists():
        return path.read_bytes()
    drawn = to_png(figure.draw(), dpi)
    with suppress(OSError), atomic_path(path) as partly:  # a test may have filled the disk
        partly.write_bytes(drawn)
    return drawn


REPLACED: dict[str, Callable[..., _Planned]] = {
    "epochs.draw_confusion": _confusion,
    "epochs.draw_samples": _samples,
    "evaluation.draw_confusion": _confusion,
    "schedule.draw_learning_rates": _rates,
}


def draw_each_form_once(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Trainings in this process draw figures of each form once, until the patch is undone.

    Args:
        patch: that does it.
        folder: of drawn figures, which processes share.
    """
    for name, planned in REPLACED.items():
        module = f"sightline.training.logging.{name.partition('.')[0]}"
        patch.setattr(f"sightline.training.logging.{name}", planned)
        patch.setattr(f"{module}.to_png", partial(_to_png, folder))
