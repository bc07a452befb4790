"""The exported module, and the interface of an export format."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import Tensor, nn

from sightline import __version__
from sightline.inference.model import LoadedModel

INPUT, OUTPUTS = "image", ("probs", "logits")
Run = Callable[[np.ndarray], np.ndarray]  # images (N, C, S, S) of uint8 to probs (N, K)


class Exportable(nn.Module):
    """A module from prepared images to calibrated probabilities and raw logits.

    Args:
        model: whose classifier normalises, and whose temperature divides the logits.
    """

    def __init__(self, model: LoadedModel) -> None:
        super().__init__()
        self.classifier = model.classifier
        self.label_mode = model.label_mode
        self.temperature = model.tuning.temperature

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (B, C) and logits (B, num_outputs) of uint8 images (B, C, H, W)."""
        logits = self.classifier(image)
        return self.label_mode.probs(logits / self.temperature), logits


class Format(ABC):
    """A file format: writes a model, and runs the file."""

    endings: ClassVar[tuple[str, ...]]

    @abstractmethod
    def write(self, module: Exportable, example: Tensor, path: Path, facts: dict[str, str]) -> None:
        """Write the file, for any number of images.

        Args:
            module: on the CPU, in evaluation mode.
            example: two images.
            path: of the file.
            facts: metadata stored beside the model, by name.

        Raises:
            UserError: an optional package is missing, or the format cannot express the model.
        """

    @abstractmethod
    def open(self, path: Path) -> Run:
        """A function that runs the file on the CPU."""


def facts_of(model: LoadedModel) -> dict[str, str]:
    """Metadata that a program needs to use the file: JSON texts by name."""
    spec = model.preprocess
    thresholds = model.tuning.thresholds
    return {
        "sightline": json.dumps(__version__),
        "label_mode": json.dumps(model.label_mode.name),
        "class_names": json.dumps(list(model.class_names), ensure_ascii=False),
        "temperature": json.dumps(model.tuning.temperature),
        "thresholds": json.dumps(None if thresholds is None else list(thresholds)),
        "preprocess": json.dumps(spec.to_dict()),
        "how": json.dumps(
            f"Input {INPUT}: uint8 (N, {spec.in_chans}, {spec.img_size}, {spec.img_size}), resized "
            "and cropped by `preprocess` (with Pillow; sightline.load(run).prepare(images) "
            "does it), not normalised: that is inside. Outputs: probs, calibrated (the temperature "
            "is applied), a column a class name; logits, raw. A label of several, or the positive "
            "class of two, is decided where its probability is over its threshold (null: 0.5), one "
            "of several classes where it is largest."
        ),
    }
