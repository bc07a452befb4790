"""The sums behind an epoch's training metrics, resumed after an interruption."""

import time
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class WeightedLoss(Protocol):
    """A loss whose mean divides by something else than the number of samples."""

    def weight_of(self, target: Tensor) -> Tensor:
        """The sum that the mean over a batch divides by, a scalar."""


class EpochSums:
    """Sums over the batches of one epoch, on the device, so that no step waits for them.

    Args:
        device: where they are kept.
        values: those of this rank that an interrupted epoch had reached; None: a new epoch.
        seconds: how long that took.
    """

    def __init__(
        self, device: torch.device, values: list[float] | None = None, seconds: float = 0.0
    ) -> None:
        loss_sum, correct, decided, samples, weight = values or [0.0] * 5
        exact = torch.float32 if device.type == "mps" else torch.float64  # Apple has no double
        self.loss_sum = torch.tensor(loss_sum, dtype=exact, device=device)
        self.weight = torch.tensor(weight, dtype=exact, device=device)
        self.correct = torch.tensor(int(correct), dtype=torch.int64, device=device)
        self.decided = torch.tensor(int(decided), dtype=torch.int64, device=device)
        self.samples = int(samples)
        self._seconds = seconds
        self._since_s: float | None = time.perf_counter()

    def add_loss(self, loss: Tensor, weight: Tensor | int, size: int) -> None:
        """Count a batch's mean loss.

        Args:
            loss: the mean.
            weight: that it divides by, so that their product is the batch's sum of losses.
            size: samples of the batch.
        """
        self.loss_sum += loss.to(self.loss_sum) * weight
        self.weight += weight
        self.samples += size

    def add_decisions(self, right: Tensor, known: Tensor) -> None:
        """Count decisions, and the right ones among them."""
        self.correct += (right & known).sum()
        self.decided += known.sum()

    @property
    def seconds(self) -> float:
        """Training so far in this epoch, without validations and interruptions."""
        running = 0.0 if self._since_s is None else time.perf_counter() - self._since_s
        return self._seconds + running

    @property
    def paused(self) -> bool:
        """Whether the clock stands still."""
        return self._since_s is None

    def pause(self) -> None:
        """Stop the clock."""
        self._seconds, self._since_s = self.seconds, None

    def resume(self) -> None:
        """Let the clock run."""
        if self.paused:
            self._since_s = time.perf_counter()

    def values(self) -> list[float]:
        """Sum of losses, right decisions, decisions, samples and weight, of this rank."""
        sums = [
            self.loss_sum.item(), self.correct.item(), self.decided.item(), self.samples,
            self.weight.item(),
        ]  # fmt: skip
        return [float(each) for each in sums]

    def metrics(self, values: list[float], seconds: float) -> dict[str, float]:
        """The epoch's training metrics, over the augmented images, while the weights changed.

        The loss is what the criterion gives for all of the epoch's outputs at once: the sum of
        weighted losses over the sum of weights. Of mixed images it is the loss against the mixed
        targets.

        Args:
            values: of all ranks together.
            seconds: duration of the epoch.
        """
        loss_sum, correct, decided, samples, weight = values
        found = {
            "train/loss": loss_sum / (weight or 1.0),
            "train/images_per_second": samples / seconds,
        }
        return found | ({"train/accuracy": correct / decided} if decided else {})


def weight_of(criterion: nn.Module, target: Tensor) -> Tensor | int:
    """The sum that a criterion's mean over a batch divides by; of a foreign one, the batch size."""
    return criterion.weight_of(target) if isinstance(criterion, WeightedLoss) else len(target)


def share(saved: dict[str, Any], rank: int, world: int) -> tuple[list[float], float]:
    """A rank's sums and seconds from a checkpoint; with another number of ranks, rank 0 has all.

    Args:
        saved: `values` of each rank, and `seconds`.
        rank: this process among `world`.
        world: processes that train together.
    """
    values: list[list[float]] = [_with_weight(each) for each in saved["values"]]
    if len(values) == world:
        return values[rank], saved["seconds"]
    total = [sum(column) for column in zip(*values, strict=True)]
    return total if rank == 0 else [0.0] * len(total), saved["seconds"]


def _with_weight(values: list[float]) -> list[float]:
    """Sums of a checkpoint; before 0.2.0 each loss was weighted by the samples of its batch."""
    return values if len(values) == 5 else [*values, values[3]]
