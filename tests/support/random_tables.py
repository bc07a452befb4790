"""Random prediction tables in every label mode."""

from __future__ import annotations

import numpy as np
import torch

from sightline.label_modes.base import LabelMode
from sightline.label_modes.binary import Binary
from sightline.label_modes.multiclass import Multiclass
from sightline.label_modes.multilabel import Multilabel
from sightline.predictions import Predictions


def make_mode(name: str, classes: int = 5) -> LabelMode:
    names = tuple(f"c{i}" for i in range(2 if name == "binary" else classes))
    if name == "binary":
        return Binary(names, None)
    return Multiclass(names) if name == "multiclass" else Multilabel(names)


def random_table(mode: LabelMode, samples: int, seed: int = 0) -> Predictions:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(samples, mode.num_outputs, generator=generator)
    logits[: samples // 5] = logits[: samples // 5].round()  # ties
    probs = mode.probs(logits)
    noisy = mode.probs(logits + torch.randn(logits.shape, generator=generator))
    return Predictions(
        ids=np.array([f"{i}" for i in range(samples)]),
        targets=mode.decide(noisy).numpy(),
        probs=probs.numpy(),
        class_names=mode.class_names,
        label_mode=mode.name,
    )
