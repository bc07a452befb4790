"""The sums behind an epoch's training metrics, resumed after an interruption."""

import time
from typing import Any

import torch
from torch import Tensor


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
        loss_sum, correct, decided, samples = values or [0.0, 0.0, 0.0, 0.0]
        exact = torch.float32 if device.type == "mps" else torch.float64  # Apple has no double
        self.loss_sum = torch.tensor(loss_sum, dtype=exact, device=device)
        self.correct = torch.tensor(int(correct), dtype=torch.int64, device=device)
        self.decided = torch.tensor(int(decided), dtype=torch.int64, device=device)
        self.samples = int(samples)
        self._began_s = time.perf_counter() - seconds

    def add_loss(self, loss: Tensor, size: int) -> None:
        """Count a batch's mean loss."""
        self.loss_sum += loss.to(self.loss_sum) * size
        self.samples += size

    def add_decisions(self, right: Tensor, known: Tensor) -> None:
        """Count decisions, and the right ones among them."""
        self.correct += (right & known).sum()
        self.decided += known.sum()

    @property
    def seconds(self) -> float:
        """Since the epoch began, without what passed while the training was interrupted."""
        return time.perf_counter() - self._began_s

    def values(self) -> list[float]:
        """Sum of losses, right decisions, decisions and samples, of this rank."""
        sums = [self.loss_sum.item(), self.correct.item(), self.decided.item(), self.samples]
        return [float(each) for each in sums]

    def metrics(self, values: list[float], seconds: float) -> dict[str, float]:
        """The epoch's training metrics, over the augmented images, while the weights changed.

        Args:
            values: of all ranks together.
            seconds: duration of the epoch.
        """
        loss_sum, correct, decided, samples = values
        found = {"train/loss": loss_sum / samples, "train/images_per_second": samples / seconds}
        return found | ({"train/accuracy": correct / decided} if decided else {})


def share(saved: dict[str, Any], rank: int, world: int) -> tuple[list[float], float]:
    """A rank's sums and seconds from a checkpoint; with another number of ranks, rank 0 has all.

    Args:
        saved: `values` of each rank, and `seconds`.
        rank: this process among `world`.
        world: processes that train together.
    """
    values: list[list[float]] = saved["values"]
    if len(values) == world:
        return values[rank], saved["seconds"]
    total = [sum(column) for column in zip(*values, strict=True)]
    return total if rank == 0 else [0.0] * len(total), saved["seconds"]
