"""The last checkpoint: saved where Lightning can resume as if there had been no interruption."""

from copy import deepcopy
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import TrainerFn

from sightline.training.agreement import Agreement
from sightline.training.lightning_compat import set_resume_point, stopped_early
from sightline.training.signals import Signals


class LastCheckpoint(Checkpoint):
    """Saves at the end of each epoch, every so many steps, and when a signal was received.

    Within an epoch it saves before a batch, or before validation: a resumed run trains that batch
    next, or validates first. Incomplete sums of gradients are never saved.

    A Checkpoint runs after all other callbacks, so what is saved at the end of an epoch holds what
    they did. What they do at the start of a batch or in a validation they do again where a run
    resumes there; so it is saved before them, by `BeforeOthers`.

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
        self._states: dict[str, Any] = {}  # of all callbacks, before the validation

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on signals wait for a batch to end."""
        self._saved_step = trainer.global_step
        self.signals.deferring = True

    def before_batch(self, trainer: Trainer, batch_idx: int) -> None:
        """Save where it is due, or a signal was received."""
        request = self._requested()
        if batch_idx % trainer.accumulate_grad_batches:
            return
        step = trainer.global_step
        due = self.every_n_steps and step % self.every_n_steps == 0 and step > self._saved_step
        if due or request:
            self._save(trainer)
        self._act(request)

    def before_validation(self, trainer: Trainer) -> None:
        """Keep the callbacks' states: a validation that a signal stops begins again with them."""
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        self._states = deepcopy({each.state_key: each.state_dict() for each in callbacks})

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
        if self._before_validation:
            saved = checkpoint["callbacks"]
            checkpoint["callbacks"] = {key: self._states.get(key, saved[key]) for key in saved}


class BeforeOthers(Callback):
    """The part of the last checkpoint that runs before all other callbacks.

    Args:
        last: the checkpoint.
    """

    def __init__(self, last: LastCheckpoint) -> None:
        self.last = last

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save where it is due."""
        self.last.before_batch(trainer, batch_idx)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what a validation within a training may change."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.last.before_validation(trainer)
