"""The sums behind an epoch's training metrics, resumed after an interruption."""

import time
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

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
        log_names: of the method's own numbers among the values, in order.
    """

    def __init__(
        self, device: torch.device, values: list[float] | None = None, seconds: float = 0.0,
        log_names: Sequence[str] = (),
    ) -> None:  # fmt: skip
        loss_sum, correct, decided, samples, weight, *logs = values or [0.0] * 5
        exact = torch.float32 if device.type == "mps" else torch.float64  # Apple has no double
        self.loss_sum = torch.tensor(loss_sum, dtype=exact, device=device)
        self.weight = torch.tensor(weight, dtype=exact, device=device)
        self.correct = torch.tensor(int(correct), dtype=torch.int64, device=device)
        self.decided = torch.tensor(int(decided), dtype=torch.int64, device=device)
        self.samples = int(samples)
        named = zip(log_names, logs, strict=True)
        self.logs = {name: torch.tensor(v, dtype=exact, device=device) for name, v in named}
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

    def add_logs(self, logs: Mapping[str, Tensor | float], size: int) -> None:
        """Count a method's own numbers, each a mean over the batch."""
        for name, value in logs.items():
            number = torch.as_tensor(value, device=self.loss_sum.device).detach()
            before = self.logs.get(name, torch.zeros_like(self.loss_sum))
            self.logs[name] = before + number.to(self.loss_sum) * size

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
        """Sum of losses, right decisions, decisions, samples, weight and logs, of this rank."""
        sums = [
            self.loss_sum.item(), self.correct.item(), self.decided.item(), self.samples,
            self.weight.item(), *(self.logs[name].item() for name in sorted(self.logs)),
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
        loss_sum, correct, decided, samples, weight, *logs = values
        found = {
            "train/loss": loss_sum / (weight or 1.0),
            "train/images_per_second": samples / seconds,
        }
        for name, total in zip(sorted(self.logs), logs, strict=True):
            found[f"train/{name}"] = total / samples
        return found | ({"train/accuracy": correct / decided} if decided else {})


def weight_of(criterion: nn.Module, target: Tensor) -> Tensor | int:
    """The sum that a criterion's mean over a batch divides by; of a foreign one, the batch size."""
    return criterion.weight_of(target) if isinstance(criterion, WeightedLoss) else len(target)
