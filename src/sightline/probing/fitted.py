"""The content of a probe's fit: features with targets in, probabilities and a linear head out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from sightline.label_modes.base import LabelMode
from sightline.probing.judge import Judge

Setting = Mapping[str, float]  # values of a probe by name: k and temperature, C, lr


@dataclass(frozen=True)
class Labelled:
    """Features of samples, with their targets.

    Attributes:
        features: shape (N, D), float32.
        targets: as the label mode encodes them.
    """

    features: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def select(self, rows: np.ndarray) -> "Labelled":
        """The samples of some rows."""
        return Labelled(self.features[rows], self.targets[rows])


@dataclass(frozen=True)
class LinearHead:
    """A linear layer on features as the backbone gives them.

    Attributes:
        weight: shape (num_outputs, D).
        bias: shape (num_outputs,).
    """

    weight: np.ndarray
    bias: np.ndarray

    def probs(self, mode: LabelMode, features: np.ndarray) -> np.ndarray:
        """Probabilities (N, C), float32."""
        logits = features @ self.weight.T.astype(np.float32) + self.bias.astype(np.float32)
        return mode.probs(torch.from_numpy(logits)).numpy()


@dataclass(frozen=True)
class FittedProbe:
    """A probe that was fitted on train, with what was chosen on val.

    Attributes:
        probs: from features (N, D) to probabilities (N, C), float32.
        chosen: the values that did best on val.
        at_edge: names of those that were the first or the last of their list, beyond which others
            may do better.
        tried: what each setting reached on val, by row.
        head: the linear layer; None where the probe has none.
    """

    probs: Callable[[np.ndarray], np.ndarray]
    chosen: Setting
    at_edge: tuple[str, ...]
    tried: list[dict[str, object]]
    head: LinearHead | None = None


class Probe(Protocol):
    """A simple classifier on features."""

    def __call__(
        self, train: Labelled, val: Labelled, judge: Judge, fixed: Setting | None, seed: int
    ) -> FittedProbe:
        """Fit on train, and choose on val.

        Args:
            train: what is fitted on.
            val: what is chosen on.
            judge: of val.
            fixed: values that were chosen before; None: they are chosen now.
            seed: of the order of samples, where there is one.
        """
        ...


PSEUDO_SAMPLES = 10  # of the mean variance, by which those of few samples are held


@dataclass(frozen=True)
class Standardisation:
    """Scaling of features to a mean of 0 and a deviation of about 1 over train.

    The variance of each feature counts with the number of samples, the mean over all features with
    10 more: of few samples the variances of single features are mostly noise.

    Attributes:
        mean, scale: shape (D,).
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> "Standardisation":
        """The scaling of features (N, D)."""
        variance = features.var(axis=0, dtype=np.float64)
        count = len(features)
        held = (count * variance + PSEUDO_SAMPLES * variance.mean()) / (count + PSEUDO_SAMPLES)
        scale = np.sqrt(held) if variance.any() else np.ones_like(variance)
        return cls(features.mean(axis=0, dtype=np.float64), scale)

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Features of this scale, float32."""
        scaled = features - self.mean.astype(np.float32)
        scaled /= self.scale.astype(np.float32)
        return scaled

    def on_raw(self, weight: np.ndarray, bias: np.ndarray) -> LinearHead:
        """The head on raw features that does what these weights do on scaled ones."""
        raw = weight / self.scale
        return LinearHead(raw, bias - raw @ self.mean)


def edges(chosen: Setting, lists: Mapping[str, tuple[float, ...]]) -> tuple[str, ...]:
    """Names of the values that are the first or the last of several that were tried."""
    return tuple(
        name for name, values in lists.items()
        if len(values) > 1 and chosen[name] in (values[0], values[-1])
    )  # fmt: skip
