"""The progress of a training on the terminal: a live bar, and one line an epoch."""

import logging
import sys

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import RichProgressBar

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
    """Lightning's bar, which counts epochs from 1 as the lines above it do."""

    def _get_train_description(self, current_epoch: int) -> str:
        epochs = self.trainer.max_epochs or -1
        return f"epoch {current_epoch + 1}" + (f"/{epochs}" if epochs > 0 else "")


def progress_callbacks() -> list[Callback]:
    """A live bar in a terminal, and one line an epoch everywhere."""
    bar = [EpochBar(refresh_rate=5, leave=False)] if sys.stdout.isatty() else []
    return [EpochLines(), *bar]
