"""Losses, by the names that `conf/loss` gives them."""

from torch import nn

from sightline.label_modes.base import LabelMode


def cross_entropy(label_mode: LabelMode) -> nn.Module:
    """The label mode's own: softmax cross-entropy, or sigmoid for binary and multilabel."""
    return label_mode.criterion()
