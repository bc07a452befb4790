"""Cross-entropy, the label mode's own: softmax, or sigmoid for binary and multilabel."""

from typing import Annotated

import numpy as np
from pydantic import Field
from torch import nn

from sightline.label_modes.base import LabelMode
from sightline.training.losses.class_weights import ClassWeights, make_weights

Smoothing = Annotated[float, Field(ge=0, lt=1)]


def cross_entropy(
    label_mode: LabelMode,
    train_targets: np.ndarray | None,
    class_weights: ClassWeights,
    label_smoothing: Smoothing,
) -> nn.Module:
    """The label mode's own: softmax cross-entropy, or sigmoid for binary and multilabel.

    Args:
        label_mode: decides which.
        train_targets: encoded; weights come from them. None where they are streamed.
        class_weights: see `make_weights`.
        label_smoothing: share of the target that is spread over the classes.
    """
    weights = make_weights(label_mode, train_targets, class_weights)
    return label_mode.criterion(weights, label_smoothing)
