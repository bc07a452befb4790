"""The last checkpoint: saved at points from which Lightning can go on as if nothing had been."""

from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import TrainerFn

from sightline.training.agreement import Agreement
from sightline.training.signals import Signals


class LastCheckpoint(Checkpoint):
    """Saves at the end of each epoch, every so many steps, and when a signal came.

    Within an epoch it saves before a batch, or before validation: a run that goes on trains that
    batch next, or validates first. Gradients that are summed half-way are never saved.

    A Checkpoint runs after all other callbacks, so what is saved holds what they did.

    Args:
        path: where.
        every_n_steps: optimizer steps between checkpoints within an epoch; None: none.
        signals: are heeded here.
    """

    def __init__(self, path: Path, every_n_steps: int | None, signals: Signals) -> None:
        self.path = path
        self.every_n_steps = every_n_steps
        self.signals = signals
        self.agreement = Agreement()
        self._saved_step = 0
        self._before_validation = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on signals wait for a batch to end."""
        self._saved_step = trainer.global_step
        self.signals.deferring = True

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save where it is time to, or a signal came."""
        request = self._asked()
        if batch_idx % trainer.accumulate_grad_batches:
            return
        step = trainer.global_step
        due = self.every_n_steps and step % self.every_n_steps == 0 and step > self._saved_step
        if due or request:
            self._save(trainer)
        self._act(request)

    def on_validation_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Save if a signal came."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        request = self._asked()
        done = trainer.fit_loop.batch_idx + 1
        if request and (trainer.is_last_batch or done % trainer.accumulate_grad_batches == 0):
            self._before_validation = True
            self._save(trainer)
            self._before_validation = False
            self._act(request)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the finished epoch."""
        request = self._asked()
        self._save(trainer)
        self._act(request)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """All is saved; from here on a signal acts at once."""
        request = self.agreement.highest(self.signals.request, now=True)
        self.signals.deferring = False
        self._act(request)

    def _asked(self) -> int:
        return self.agreement.highest(self.signals.request)

    def _act(self, request: int) -> None:
        if request:
            self.agreement.highest(0, now=True)  # nothing of it is heard again
            self.signals.act(request)

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved_step = trainer.global_step

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Put Lightning's counters to where the run goes on, and say whether it does.

        Its own are half-way between two states inside a hook, and only for some hooks it finds
        out where it was.
        """
        checkpoint["over"] = trainer.should_stop and trainer.fit_loop._can_stop_early
        fit: dict[str, Any] = checkpoint["loops"]["fit_loop"]
        epochs, batches = fit["epoch_progress"], fit["epoch_loop.batch_progress"]
        if epochs["current"]["processed"] == epochs["current"]["started"]:  # the epoch is done
            for count in ("total", "current"):
                epochs[count]["completed"] = epochs[count]["processed"]
            batches["current"] = dict.fromkeys(batches["current"], 0)
        for count in ("total", "current"):
            batches[count] = dict.fromkeys(batches[count], batches[count]["completed"])
        fit["epoch_loop.state_dict"]["_batches_that_stepped"] = trainer.global_step
        batches["is_last_batch"] = self._before_validation and batches["is_last_batch"]
        begun = int(self._before_validation)  # a validation that began is begun again
        fit["epoch_loop.val_loop.batch_progress"] = {
            "total": {"ready": begun, "started": begun, "processed": 0, "completed": 0},
            "current": {"ready": 0, "started": 0, "processed": 0, "completed": 0},
            "is_last_batch": False,
        }
