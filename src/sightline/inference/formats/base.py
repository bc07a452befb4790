"""The exported module, and the interface of an export format."""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sightline import __version__
from sightline.inference.model import LoadedModel
from sightline.metrics.tuned_table import rule_words, thresholds_of_calibrated

INPUT, OUTPUTS = "image", ("probs", "logits")
Run = Callable[[np.ndarray], np.ndarray]  # images (N, C, S, S) of uint8 to probs (N, K)


class Exportable(nn.Module):
    """A module from prepared images to calibrated probabilities and raw logits.

    Args:
        model: whose classifier normalises, and whose calibration rescales the logits; its weights
            get the plain memory format, which is what exporters write.
    """

    biases: Tensor

    def __init__(self, model: LoadedModel) -> None:
        super().__init__()
        self.classifier = model.classifier.to(memory_format=torch.contiguous_format)
        self.label_mode = model.label_mode
        self.temperature = model.tuning.temperature
        biases = model.tuning.biases or [0.0] * model.label_mode.num_outputs
        self.register_buffer("biases", torch.tensor(biases), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (B, C) and logits (B, num_outputs) of uint8 images (B, C, H, W)."""
        logits = self.classifier(image)
        return self.label_mode.probs(logits / self.temperature + self.biases), logits


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
    spec, mode, tuning = model.preprocess, model.label_mode, model.tuning
    weights = None
    if tuning.biases is not None and not mode.threshold_names:
        weights = [math.exp(-each) for each in tuning.biases]
    return {
        "sightline": json.dumps(__version__),
        "label_mode": json.dumps(mode.name),
        "class_names": json.dumps(list(model.class_names), ensure_ascii=False),
        "temperature": json.dumps(tuning.temperature),
        "biases": json.dumps(tuning.biases),
        "decision_rule": json.dumps(rule_words(mode, tuning), ensure_ascii=False),
        "thresholds": json.dumps(thresholds_of_calibrated(mode, tuning)),
        "decision_weights": json.dumps(weights),
        "abstention": json.dumps(asdict(tuning.abstention) if tuning.abstention else None),
        "sets": json.dumps(asdict(tuning.sets) if tuning.sets else None),
        "ood": json.dumps(asdict(tuning.ood) if tuning.ood else None),
        "preprocess": json.dumps(spec.to_dict()),
        "how": json.dumps(
            f"Input {INPUT}: uint8 (N, {spec.in_chans}, {spec.size[0]}, {spec.size[1]}), resized "
            "and cut or padded by `preprocess` (with Pillow; sightline.load(run).prepare(images) "
            "does it), not normalised: that is inside. Outputs: probs, calibrated (temperature and "
            "biases are applied), a column a class name; logits, raw. By `decision_rule`, a label "
            "of several, or the positive class of two, is decided where its probability is over "
            "its threshold (null: 0.5), one of several classes where its probability, times its "
            "decision weight (null: 1), is largest. With `abstention` an answer is withheld unless "
            "its certainty is over `threshold`: the probability of what is decided, whose odds are "
            "divided by those of its threshold where it has one. With `sets` the set of an answer "
            "holds the options whose score is at most its quantile (group, answer, option): of one "
            "class the options are the classes, of each label absent and present. The score "
            "`threshold` is 1 - probability, `aps` the probability of all more probable options, "
            "`raps` that and `penalty` times the number of places after `rank`. With `ood` an "
            "image is taken for unknown, and every answer withheld, where its score is over its "
            "threshold. Of the logits z of competing classes (one logit z of two classes stands "
            "for -z/2 and z/2) `msp` is minus the largest softmax, `max_logit` minus the largest "
            "z, `energy` minus the log-sum-exp; of labels `msp` is minus the largest sigmoid, "
            "`energy` minus the sum of log(1 + exp(z))."
        ),
    }
