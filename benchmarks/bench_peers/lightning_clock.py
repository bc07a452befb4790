"""The clock as a callback of Lightning."""

from typing import Any

import pytorch_lightning as pl

from benchmarks.bench_peers.clock import Clock


class ClockCallback(pl.Callback):
    """The times of a training by Lightning."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.images = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Begin the epoch."""
        self.clock.start_epoch()
        self.images = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the first step, and count the images."""
        self.clock.step()
        self.images += len(batch["target"] if isinstance(batch, dict) else batch[1])

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """End the epoch's steps: Lightning validates inside of its epoch."""
        self.clock.end_epoch(self.images)
