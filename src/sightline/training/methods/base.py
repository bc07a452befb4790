"""The contract of a training method."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from sightline.config.validation import Node
from sightline.data.loading.datasets import Batch
from sightline.models.classifier import Classifier

Criterion = Callable[[Tensor, Tensor], Tensor]  # of logits and the batch's targets: the mean loss


@dataclass(frozen=True)
class StepOutput:
    """What a method makes of a batch.

    Attributes:
        loss: a scalar, whose gradient is taken.
        logits: shape (B, num_outputs), of the batch's images, for the training accuracy.
        logs: further numbers, means over the batch; their means over an epoch are logged as
            `train/NAME`.
    """

    loss: Tensor
    logits: Tensor
    logs: Mapping[str, Tensor | float] = field(default_factory=dict)


class Method(ABC):
    """How a batch becomes a loss; everything around it is the training's.

    Mixing, the check for a finite loss, sums, backward pass and optimizer step are outside. An
    evaluation never asks a method: its loss is the plain criterion's.

    A network that a method owns (a teacher, a projection head) is neither optimised, saved nor
    averaged, unless `trained` returns it.

    Attributes:
        takes_features: whether `image` of a batch may hold the inputs of a frozen backbone's head,
            of which `classifier(image)` makes logits just so.
    """

    takes_features: ClassVar[bool] = False

    @classmethod
    def excludes(cls, node: Node) -> Mapping[str, str]:
        """Keys of the config that may not be set beside it, each with the reason.

        Args:
            node: the config's `method`.
        """
        return {}

    @abstractmethod
    def step(self, classifier: Classifier, batch: Batch, criterion: Criterion) -> StepOutput:
        """The loss of a batch.

        Args:
            classifier: that is trained, in training mode.
            batch: `image`, uint8 (B, C, H, W), or mixed; `target`, encoded or mixed; `index`.
            criterion: the config's loss, of logits and targets.
        """

    def trained(self) -> Mapping[str, nn.Module]:
        """Networks that are optimised, saved and averaged with the classifier; by name."""
        return {}

    def owned(self) -> Mapping[str, nn.Module]:
        """Networks that are moved to the training's device, and otherwise left alone."""
        return {}

    def facts(self) -> Mapping[str, str]:
        """What it found out and its results depend on, logged as parameters: `method.NAME`."""
        return {}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself: a copy of the module, as an average of the weights has, needs no second one."""
        return self

    def state_dict(self) -> dict[str, Any]:
        """Plain containers and tensors without which a resumed training would be another."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027  nothing to restore
        """Restore what `state_dict` returned."""
