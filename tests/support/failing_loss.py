"""A loss of a plugin that takes secrets, and fails with them in its message."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn


class FailingLoss(nn.Module):
    """Cross-entropy; it fails at the fourth training batch while `trigger` is there."""

    def __init__(self, trigger: str, api_key: str, note: str) -> None:
        super().__init__()
        self.trigger, self.secrets = Path(trigger), f"{api_key} {note}"
        self.batches = 0

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch."""
        self.batches += self.training
        if self.batches == 4 and self.trigger.exists():
            raise RuntimeError(f"the service refused {self.secrets}")
        return nn.functional.cross_entropy(logits, target)
