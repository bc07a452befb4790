"""The last checkpoint: saved where Lightning can resume as if there had been no interruption."""

from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import TrainerFn

from sightline.training.agreement import Agreement
from sightline.training.lightning_compat import set_resume_point, stopped_early
from sightline.training.signals import Signals


class LastCheckpoint(Checkpoint):
    """Saves at the end of each epoch, every so many steps, and when a signal was received.

    Within an epoch it saves before a batch, or before validation: a resumed run trains that batch
    next, or validates first. Incomplete sums of gradients are never saved.

    A Checkpoint runs after all other callbacks, so what is saved holds what they did.

    Args:
        path: where.
        every_n_steps: optimizer steps between checkpoints within an epoch; None: none.
        signals: handled here, where a batch ends.
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
        """Save where it is due, or a signal was received."""
        request = self._requested()
        if batch_idx % trainer.accumulate_grad_batches:
            return
        step = trainer.global_step
        due = self.every_n_steps and step % self.every_n_steps == 0 and step > self._saved_step
        if due or request:
            self._save(trainer)
        self._act(request)

    def on_validation_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Save if a signal was received."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        request = self._requested()
        done = trainer.fit_loop.batch_idx + 1
        if request and (trainer.is_last_batch or done % trainer.accumulate_grad_batches == 0):
            self._before_validation = True
            self._save(trainer)
            self._before_validation = False
            self._act(request)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the finished epoch."""
        request = self._requested()
        self._save(trainer)
        self._act(request)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Everything is saved; from here on a signal acts at once."""
        request = self.agreement.highest(self.signals.requested, now=True)
        self.signals.deferring = False
        self._act(request)

    def _requested(self) -> int:
        return self.agreement.highest(self.signals.requested)

    def _act(self, request: int) -> None:
        if request:
            self.agreement.highest(0, now=True)  # no rank sees it a second time
            self.signals.act(request)

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved_step = trainer.global_step

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Set Lightning's counters to where the run resumes, and note whether it is over."""
        checkpoint["over"] = stopped_early(trainer)
        set_resume_point(checkpoint, trainer.global_step, self._before_validation)
