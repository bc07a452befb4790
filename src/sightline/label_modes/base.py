"""The contract of a label mode."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.label_modes.measures import ConfusionMatrix as ConfusionMatrix
from sightline.label_modes.measures import Measures

Count = Callable[[np.ndarray], np.ndarray]  # counts of samples to what counts as their number


class LabelMode(Measures):
    """Answers every question that depends on the kind of label.

    Args:
        class_names: the names that the data source found, in its order.

    Raises:
        UserError: (`check`) the data's targets are of another kind.
    """

    name: ClassVar[str]
    family: ClassVar[str]  # single_label or multi_label, for the metrics that modes share
    multi_label: ClassVar[bool] = False  # targets are rows of labels, not one class an image
    exclusive: ClassVar[bool] = False  # outputs compete (softmax), else each is yes or no
    epoch_line: ClassVar[tuple[str, ...]] = ("accuracy",)  # metrics that the progress shows
    main_metrics: ClassVar[tuple[str, ...]] = (  # that are printed at the end, of all headlines
        "accuracy", "recall_macro", "f1_macro", "auroc_macro", "ece",
    )  # fmt: skip

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self.class_names = class_names

    @classmethod
    def stored_arguments(
        cls, class_names: tuple[str, ...], arguments: dict[str, Any]
    ) -> dict[str, Any]:
        """The arguments that rebuild a stored mode, beside its class names.

        Args:
            class_names: as the mode held them, in the order of the outputs.
            arguments: of the config that the mode was first built from.
        """
        return arguments

    @property
    @abstractmethod
    def num_outputs(self) -> int:
        """Width of the model's last layer."""

    @abstractmethod
    def check(self, targets: np.ndarray, where: str) -> None:
        """Refuse targets (as the source gives them) that this mode cannot mean."""

    @abstractmethod
    def encode(self, targets: np.ndarray) -> np.ndarray:
        """The source's targets as training and prediction tables hold them."""

    @abstractmethod
    def criterion(self, weights: Tensor | None, label_smoothing: float) -> nn.Module:
        """Cross-entropy of `loss_inputs`.

        Args:
            weights: what `weights` returned, or None.
            label_smoothing: in [0, 1): share of the target that is spread over all classes.
        """

    @abstractmethod
    def weights(
        self, per_class: Sequence[float] | None, targets: np.ndarray, number_of: Count = np.asarray
    ) -> Tensor:
        """The loss's weights: as given for each class, or balanced over the training targets.

        Args:
            per_class: one weight a class; None: balanced.
            targets: encoded.
            number_of: what counts as the number of samples, of arrays of counts.
        """

    @abstractmethod
    def loss_inputs(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of shape (B, num_outputs) and targets, in the shape and type losses take.

        Targets are encoded ones, or mixed ones: floating-point, of `soft`'s shape.
        """

    @abstractmethod
    def soft(self, target: Tensor) -> Tensor:
        """Encoded targets as shares of shape (B, C), which can be mixed; NaN where not known."""

    @abstractmethod
    def margin(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """How much of a probability separates each decision from another, shape (B,).

        Args:
            probs: shape (B, C); calibrated where thresholds are given.
            thresholds: that decisions are taken with.
        """

    def evidence(self, logits: Tensor, classes: Tensor) -> Tensor:
        """The logit that speaks for a class of each sample, shape (B,).

        Args:
            logits: shape (B, num_outputs).
            classes: shape (B,), columns of the probabilities.
        """
        return logits.gather(1, classes[:, None]).squeeze(1)

    @abstractmethod
    def probs(self, logits: Tensor) -> Tensor:
        """Probabilities of shape (B, C), float32, from logits of shape (B, num_outputs)."""

    @abstractmethod
    def logits(self, probs: Tensor) -> Tensor:
        """Logits (B, num_outputs), double, of probabilities; of softmax up to a constant."""

    @abstractmethod
    def calibrate(
        self, probs: Tensor, temperature: float, biases: Sequence[float] | None = None
    ) -> Tensor:
        """Probabilities (B, C), double, of the logits over `temperature`, plus `biases`.

        Args:
            probs: as the model gives them.
            temperature: over 0.
            biases: one an output; None for 0.
        """

    def prior_logits(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Logits, shape (num_outputs,), of the classes' shares alone; half a sample is added.

        Args:
            targets: encoded.
            weights: of each sample, shape (N,), with a mean of 1; None for 1.
        """
        shares = self.soft(torch.from_numpy(targets)).double().numpy()[:, -self.num_outputs :]
        weighted = np.ones(len(targets)) if weights is None else weights
        known = np.where(np.isnan(shares), 0.0, weighted[:, None])
        there = (known * np.nan_to_num(shares)).sum(axis=0) + 0.5
        if self.exclusive:
            return np.asarray(np.log(there / there.sum()))
        return np.asarray(np.log(there / (known.sum(axis=0) + 1 - there)))

    def settings(self) -> dict[str, str]:
        """What was decided beyond the class names, to be logged as parameters."""
        return {}

    def describe(self) -> str:
        """One line for the terminal and the run's note."""
        names = ", ".join(self.class_names[:10]) + (", …" if len(self.class_names) > 10 else "")
        return f"{self.name}, {len(self.class_names)} classes: {names}"

    def count(self, targets: np.ndarray) -> dict[str, int]:
        """Samples of each class (or carrying each label) among encoded targets."""
        if targets.ndim == 2:
            counts = (targets == 1).sum(axis=0)
        else:
            counts = np.bincount(targets, minlength=len(self.class_names))
        return {n: int(c) for n, c in zip(self.class_names, counts, strict=True)}

    def sampling_weights(self, targets: np.ndarray) -> np.ndarray:
        """How often to draw each training sample so that classes are drawn equally often.

        For targets of several labels: the weight of the rarest label that the sample carries (a
        sample without labels counts as one of the commonest).
        """
        counts = np.array(list(self.count(targets).values()), dtype=np.float64)
        rarity = 1 / np.maximum(counts, 1)
        if targets.ndim == 1:
            return rarity[targets]
        carried = np.where(targets == 1, rarity, 0).max(axis=1)
        return np.where(carried > 0, carried, rarity[counts > 0].min(initial=1.0))

    def examples(self, target: Tensor) -> str:
        """One encoded target in words, for an image's caption."""
        if target.ndim == 0:
            return self.class_names[int(target)]
        return ", ".join(self.class_names[i] for i in (target > 0.5).nonzero().flatten().tolist())


def one_a_class(values: Sequence[float], class_names: tuple[str, ...]) -> Tensor:
    """Weights that the user listed, one a class, each over 0."""
    if len(values) != len(class_names) or min(values) <= 0:
        raise UserError(
            f"loss.class_weights: expected {len(class_names)} numbers over 0, one for each of "
            f"{', '.join(class_names[:10])}, but got {list(values)}."
        )
    return torch.tensor(values, dtype=torch.float32)
