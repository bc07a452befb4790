"""What is kept and shown while a model trains."""

import logging
import sys
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from torch import Tensor

from sightline.config import TrainConfig
from sightline.reports.confusion import draw_confusion
from sightline.reports.samples import MAX_PICTURES, draw_samples
from sightline.tracking.connection import Connection
from sightline.tracking.tracker import Tracker
from sightline.training.lit_classifier import LitClassifier

log = logging.getLogger(__name__)


def keeping_callbacks(config: TrainConfig, folder: Path) -> list[Callback]:
    """Checkpoints (best by `monitor`, and the last epoch) and early stopping."""
    best = ModelCheckpoint(
        folder,
        filename="best",
        monitor=config.monitor,
        mode=config.monitor_mode,
        enable_version_counter=False,
        auto_insert_metric_name=False,
        save_on_train_epoch_end=False,
    )
    last = ModelCheckpoint(
        folder, filename="last", enable_version_counter=False, save_on_train_epoch_end=True
    )
    stopping = config.early_stopping
    if stopping.patience_epochs is None:
        return [best, last]
    early = EarlyStopping(
        monitor=config.monitor,
        mode=config.monitor_mode,
        patience=stopping.patience_epochs,
        min_delta=stopping.min_delta,
        check_finite=False,  # a loss that is not finite ends the run with an error of its own
    )
    return [best, last, early]


class EpochLines(Callback):
    """One line an epoch: readable in a terminal, and short in a log file."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's losses, the first val metric and the speed."""
        assert isinstance(pl_module, LitClassifier)
        metrics = pl_module.epoch_metrics
        shown = [n for n in ("train/loss", "val/loss", "val/accuracy") if n in metrics]
        values = "  ".join(f"{name} {metrics[name]:.4f}" for name in shown)
        epochs = str(trainer.max_epochs) if (trainer.max_epochs or -1) > 0 else "?"
        speed = f"{metrics['train/images_per_second']:,.0f} images/s"
        epoch = str(trainer.current_epoch + 1).rjust(len(epochs))
        log.info("epoch %s/%s  %s  %s", epoch, epochs, values, speed)


class TrackEpochs(Callback):
    """Tells each epoch's metrics, the val confusion matrix and one training batch."""

    def __init__(self, tracker: Tracker, connection: Connection) -> None:
        self.tracker = tracker
        self.connection = connection
        self._batch: tuple[Tensor, Tensor] | None = None

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keep the first batch; it is drawn at the end of the epoch."""
        if trainer.current_epoch == 0 and batch_idx == 0:
            count = min(MAX_PICTURES, len(batch["image"]))
            images = batch["image"][:count].cpu().round().to(torch.uint8)
            self._batch = (images, batch["target"][:count].cpu())

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell what the epoch brought."""
        assert isinstance(pl_module, LitClassifier)
        epoch = trainer.current_epoch
        optimizer = trainer.optimizers[0]
        rates = {"train/lr": float(optimizer.param_groups[0]["lr"])}
        self.tracker.metrics(pl_module.epoch_metrics | rates, step=epoch)
        if "val" in pl_module.predictions:
            matrices = pl_module.label_mode.confusion_matrices(pl_module.predictions["val"])
            figure = draw_confusion(matrices, f"val, epoch {epoch + 1}", "count")
            self.tracker.image(figure, "confusion_matrix/val", step=epoch)
        if self._batch is not None:
            images, targets = self._batch
            self._batch = None
            captions = [pl_module.label_mode.examples(target) for target in torch.unbind(targets)]
            title = "a training batch as the model sees it, before normalisation"
            self.tracker.figure(draw_samples(images, captions, title), "samples/train_batch.png")
        self.tracker.flush()
        self.connection.poll()


class EpochBar(RichProgressBar):
    """Lightning's bar, which counts epochs from 1 as the lines above it do."""

    def _get_train_description(self, current_epoch: int) -> str:
        epochs = self.trainer.max_epochs or -1
        return f"epoch {current_epoch + 1}" + (f"/{epochs}" if epochs > 0 else "")


def progress_callbacks() -> list[Callback]:
    """A live bar in a terminal, and one line an epoch everywhere."""
    bar = [EpochBar(refresh_rate=5, leave=False)] if sys.stdout.isatty() else []
    return [EpochLines(), *bar]
