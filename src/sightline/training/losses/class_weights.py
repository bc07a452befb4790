"""Weights of the classes in a loss: as given, balanced, or by the effective number of samples."""

import logging
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from sightline.errors import UserError
from sightline.label_modes.base import LabelMode

log = logging.getLogger(__name__)

IMBALANCE = 3.0  # class_weights=auto balances from this ratio of the largest class to the smallest


class EffectiveNumber(BaseModel):
    """Beta of the effective number of samples, (1 - beta^n) / (1 - beta) (Cui et al. 2019)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    effective: Annotated[float, Field(gt=0, lt=1)]

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        """Effective numbers of these numbers of samples; at most 1 / (1 - beta)."""
        return np.asarray((1 - self.effective**counts) / (1 - self.effective))


ClassWeights = Literal["auto", "balanced"] | EffectiveNumber | list[float] | None


def make_weights(
    label_mode: LabelMode, targets: np.ndarray | None, class_weights: ClassWeights
) -> Tensor | None:
    """The weights that a label mode's criterion takes; None for none.

    Args:
        label_mode: of the targets.
        targets: encoded, of the training split; None where they are streamed.
        class_weights: one number a class; balanced: all classes together weigh the same (for
            multilabel, each label's presence as much as its absence); auto: balanced where the
            largest class has at least 3 times as many images as the smallest; effective: balanced
            by effective numbers of samples.

    Raises:
        UserError: the classes cannot be counted, or the list does not fit them.
    """
    if class_weights is None:
        return None
    targets = counted(targets, "loss.class_weights", "loss.class_weights=null")
    if isinstance(class_weights, list):
        return label_mode.weights(class_weights, targets)
    if isinstance(class_weights, EffectiveNumber):
        weights = label_mode.weights(None, targets, class_weights)
    else:
        weights = label_mode.weights(None, targets)
    if class_weights == "auto" and _are_even(label_mode, targets):
        log.info("weights: none (auto: the largest class is under 3 times the smallest)")
        return None
    shown = ", ".join(f"{value:.3g}" for value in torch.atleast_1d(weights)[:10].tolist())
    log.info("weights: %s", shown)
    return weights


def used_weights(
    label_mode: LabelMode, targets: np.ndarray | None, class_weights: object
) -> str | None:
    """What `auto` or a list comes to: none, balanced, or None for anything else.

    Args:
        label_mode: of the targets.
        targets: encoded, of the training split; None where they are streamed.
        class_weights: of the config.
    """
    if targets is None:
        return None
    if class_weights == "auto":
        return "none" if _are_even(label_mode, targets) else "balanced"
    if isinstance(class_weights, list):
        own = label_mode.weights(class_weights, targets)
        if torch.allclose(own, torch.ones_like(own)):
            return "none"
        if torch.allclose(own, label_mode.weights(None, targets)):
            return "balanced"
    return None


def _are_even(label_mode: LabelMode, targets: np.ndarray) -> bool:
    counts = [count for count in label_mode.count(targets).values() if count]
    return max(counts) < IMBALANCE * min(counts)


def counted(targets: np.ndarray | None, key: str, instead: str) -> np.ndarray:
    """The training targets, for a loss that counts the classes.

    Raises:
        UserError: they are streamed.
    """
    if targets is None:
        raise UserError(
            f"{key}: the data is read in sequence, so its classes are not counted; use {instead}."
        )
    return targets
