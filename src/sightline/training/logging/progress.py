"""The progress of a training on the terminal: a live bar, and one line an epoch."""

import logging
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import RichProgressBar
from rich import get_console

from sightline.training.logging.time_left import time_left
from sightline.training.module import LitClassifier

log = logging.getLogger(__name__)


class EpochLines(Callback):
    """One line an epoch: readable in a terminal, and short in a log file."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's losses, the label mode's own metrics and the speed."""
        assert isinstance(pl_module, LitClassifier)
        metrics = pl_module.epoch_metrics
        own = [f"val/{name}" for name in pl_module.label_mode.epoch_line]
        shown = [name for name in ("train/loss", "val/loss", *own) if name in metrics]
        values = "  ".join(f"{name} {metrics[name]:.4f}" for name in shown)
        epochs = str(trainer.max_epochs) if (trainer.max_epochs or -1) > 0 else "?"
        speed = f"{metrics['train/images_per_second']:,.0f} images/s"
        epoch = str(trainer.current_epoch + 1).rjust(len(epochs))
        log.info("epoch %s/%s  %s  %s", epoch, epochs, values, speed)


class EpochBar(RichProgressBar):
    """Lightning's bar: epochs from 1 as the lines above it, the loss, the time that is left.

    A finished bar goes: the lines stay.
    """

    _began_s = 0.0  # by the monotonic clock
    _first_step = 0  # of this process: a run may be resumed
    _loss: float | None = None  # of the last batch that was read

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        super().on_train_start(trainer, pl_module)
        self._go_when_finished()
        self._began_s, self._first_step = time.monotonic(), trainer.global_step

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar of a validation, also of one after the training."""
        super().on_validation_start(trainer, pl_module)
        self._go_when_finished()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar of the test."""
        super().on_test_start(trainer, pl_module)
        self._go_when_finished()

    def configure_columns(self, trainer: Trainer) -> list[Any]:
        """Description, bar and batches: Lightning's times are an epoch's, and fill the line."""
        shown = super().configure_columns(trainer)[:3]
        shown[1].bar_width = 20  # with the metrics it fits in 80 columns
        return shown

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Read the loss as often as the bar is drawn: reading it waits for a GPU."""
        if isinstance(outputs, Mapping) and batch_idx % self.refresh_rate == 0:
            self._loss = float(outputs["loss"])
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """The loss, the label mode's metrics of the last validation, and the time that is left."""
        found = super().get_metrics(trainer, pl_module)
        loss = {} if self._loss is None else {"loss": self._loss}
        total, step = float(trainer.estimated_stepping_batches), trainer.global_step
        left = time_left(time.monotonic() - self._began_s, step - self._first_step, total - step)
        return {**loss, **found, **({"left": left} if left else {})}

    def _go_when_finished(self) -> None:
        if self.progress is not None:
            self.progress.live.transient = True

    def _get_train_description(self, current_epoch: int) -> str:
        epochs = self.trainer.max_epochs or -1
        return f"epoch {current_epoch + 1}" + (f"/{epochs}" if epochs > 0 else "")


def progress_callbacks() -> list[Callback]:
    """A live bar in a terminal and in a notebook, and one line an epoch everywhere."""
    notebook = get_console().is_jupyter
    if notebook and find_spec("ipywidgets") is None:
        log.info("no progress bar without ipywidgets: pip install 'sightline[notebook]'")
        notebook = False
    bar = [EpochBar(refresh_rate=5, leave=False)] if notebook or sys.stdout.isatty() else []
    return [EpochLines(), *bar]
