"""Prediction tables of a known make, in every label mode."""

from __future__ import annotations

import numpy as np
import torch

from sightline.label_modes.base import LabelMode
from sightline.label_modes.binary import Binary
from sightline.label_modes.multiclass import Multiclass
from sightline.label_modes.multilabel import Multilabel
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions
from sightline.reports.evaluated_split import EvaluatedSplit

HOSTILE = ("<script>alert(1)</script>", "naïve $x^2$", "狐狸", "x" * 300, "a\nb", "{{ 7 * 7 }}")


def make_mode(mode: str, classes: int, names: tuple[str, ...] | None = None) -> LabelMode:
    names = names or tuple(f"class {i}" for i in range(classes))
    if mode == "binary":
        return Binary(names, None)
    return Multiclass(names) if mode == "multiclass" else Multilabel(names)


def make_evaluated(
    mode: str,
    classes: int,
    samples: int = 400,
    names: tuple[str, ...] | None = None,
    tuning: Tuning | None = None,
    seed: int = 0,
) -> EvaluatedSplit:
    """A model that is right most of the time; in multilabel one answer in twenty is not known."""
    rng = np.random.default_rng(seed)
    label_mode = make_mode(mode, classes, names)
    if label_mode.multi_label:
        targets = (rng.random((samples, classes)) < 0.3).astype(np.int8)
        logits = rng.normal(0, 1.5, targets.shape) + 4 * (targets - 0.5)
        targets[rng.random(targets.shape) < 0.05] = -1
    else:
        targets = rng.integers(0, classes, samples)
        spread = rng.normal(0, 1, (samples, label_mode.num_outputs))
        if label_mode.exclusive:
            logits = 1.5 * (spread + 3 * np.eye(classes)[targets])
        else:
            logits = 1.5 * (spread + 2 * targets[:, None] - 1)
    probs = label_mode.probs(torch.from_numpy(logits)).numpy()
    ids = np.array([f"image {i:05d}.png" for i in range(samples)])
    table = Predictions(ids, targets, probs, label_mode.class_names, label_mode.name)
    return EvaluatedSplit("test", label_mode, table, tuning or Tuning())
