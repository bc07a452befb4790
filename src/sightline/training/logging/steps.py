"""The log of single steps: loss and learning rate, so that warm-up and spikes are seen."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from sightline.tracking.tracker import Tracker
from sightline.training.lightning_compat import accumulation_scale
from sightline.training.param_groups import base_lr


class StepLogger(Callback):
    """Logs `step/loss` and `step/lr` over optimizer steps; the epochs' values are in `train/`.

    Args:
        tracker: of the run.
        every: optimizer steps from one value to the next.
    """

    def __init__(self, tracker: Tracker, every: int) -> None:
        self.tracker = tracker
        self.every = every
        self._logged = -1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the loss of a step's last batch, and the learning rate after it."""
        step = trainer.global_step
        if step == 0 or step % self.every or step == self._logged:
            return  # batches that accumulate are of one step
        self._logged = step
        loss = float(outputs["loss"]) / accumulation_scale(trainer, batch_idx)
        rate = base_lr(trainer.optimizers[0])
        self.tracker.log_metrics({"step/loss": loss, "step/lr": rate}, step=step)
