"""The log of single steps: loss and learning rate, so that warm-up and spikes are seen."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from sightline.tracking.tracker import Tracker
from sightline.training.lightning_compat import accumulation_scale
from sightline.training.module import LitClassifier
from sightline.training.param_groups import base_lr


class StepLogger(Callback):
    """Logs `step/loss` and `step/lr` over optimizer steps; the epochs' values are in `train/`.

    At the end of each epoch the monitor follows, such as `step/val_loss`. MLflow orders a run's
    charts by the first word, so that these three come before the single points of `test/`.

    Args:
        tracker: of the run.
        every: optimizer steps from one value to the next; the last step of an epoch has one too.
        monitor: `val/...`, what the best checkpoint is chosen by.
    """

    def __init__(self, tracker: Tracker, every: int, monitor: str) -> None:
        self.tracker = tracker
        self.every = every
        self.monitor = monitor
        self._logged = -1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the loss of a step's last batch, and the learning rate after it."""
        step = trainer.global_step
        last = batch_idx + 1 == trainer.num_training_batches
        if step == 0 or step == self._logged or (step % self.every and not last):
            return  # batches that accumulate are of one step
        self._logged = step
        loss = float(outputs["loss"]) / accumulation_scale(trainer, batch_idx)
        rate = base_lr(trainer.optimizers[0])
        self.tracker.log_metrics({"step/loss": loss, "step/lr": rate}, step=step)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the monitor of the epoch's validation."""
        assert isinstance(pl_module, LitClassifier)
        value = pl_module.epoch_metrics.get(self.monitor)
        if value is not None:
            key = f"step/{self.monitor.replace('/', '_')}"
            self.tracker.log_metrics({key: value}, step=trainer.global_step)
