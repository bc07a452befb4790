"""What is kept and shown while a model trains."""

import logging
import sys
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from torch import Tensor

from sightline.config.schema import TrainConfig
from sightline.reports.canvas import to_png
from sightline.reports.samples import MAX_IMAGES, draw_samples
from sightline.reports.sections.confusion import draw_confusion
from sightline.runs.folder import RunFolder
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker
from sightline.training.averaging import AveragedWeights
from sightline.training.checkpointing.last import LastCheckpoint
from sightline.training.module import LitClassifier
from sightline.training.signals import Signals

log = logging.getLogger(__name__)


def checkpoint_callbacks(
    config: TrainConfig, folder: RunFolder, signals: Signals
) -> list[Callback]:
    """Checkpoints (best by `monitor`, and the last), early stopping and averaged weights."""
    best = BestCheckpoint(
        folder.best.parent,
        filename=folder.best.stem,
        monitor=config.monitor,
        mode=config.monitor_mode,
        enable_version_counter=False,
        auto_insert_metric_name=False,
        save_on_train_epoch_end=False,
    )
    last = LastCheckpoint(folder.last, config.checkpoint.every_n_steps, signals)
    callbacks: list[Callback] = [best, last]
    stopping = config.early_stopping
    if stopping.patience_epochs is not None:
        callbacks.append(EarlyStopping(
            monitor=config.monitor,
            mode=config.monitor_mode,
            patience=stopping.patience_epochs,
            min_delta=stopping.min_delta,
            check_finite=False,  # a loss that is not finite ends the run with an error of its own
        ))  # fmt: skip
    if config.ema.decay is not None:
        callbacks.append(AveragedWeights(config.ema.decay))
    return callbacks


class BestCheckpoint(ModelCheckpoint):
    """Lightning's, which forgets the best score where the run's folder was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what is best so far."""
        before, now = str(state_dict["dirpath"]), str(self.dirpath)

        def here(path: str) -> str:
            return path.replace(before, now, 1)

        super().load_state_dict(state_dict | {
            "dirpath": self.dirpath,
            "best_model_path": here(state_dict["best_model_path"]),
            "kth_best_model_path": here(state_dict["kth_best_model_path"]),
            "best_k_models": {here(k): v for k, v in state_dict["best_k_models"].items()},
        })  # fmt: skip
        self.current_score = state_dict["current_score"]


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


class EpochLogger(Callback):
    """Tells each epoch's metrics, the val confusion matrix and one training batch."""

    def __init__(self, tracker: Tracker, connection: SenderClient) -> None:
        self.tracker = tracker
        self.connection = connection
        self._batch: tuple[Tensor, Tensor] | None = None

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keep the first batch; it is drawn at the end of the epoch."""
        if trainer.current_epoch == 0 and batch_idx == 0:
            count = min(MAX_IMAGES, len(batch["image"]))
            images = batch["image"][:count].cpu().round().to(torch.uint8)
            self._batch = (images, batch["target"][:count].cpu())

    def state_dict(self) -> dict[str, Any]:
        """The batch that waits to be drawn."""
        return {} if self._batch is None else {"batch": list(self._batch)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Draw it at the end of the epoch that goes on."""
        if "batch" in state_dict:
            images, targets = state_dict["batch"]
            self._batch = (images, targets)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell what the epoch brought."""
        assert isinstance(pl_module, LitClassifier)
        epoch = trainer.current_epoch
        optimizer = trainer.optimizers[0]
        rates = {"train/lr": float(optimizer.param_groups[0]["lr"])}
        self.tracker.log_metrics(pl_module.epoch_metrics | rates, step=epoch)
        if "val" in pl_module.predictions:
            matrices = pl_module.label_mode.confusion_matrices(pl_module.predictions["val"])
            figure = draw_confusion(matrices, f"val, epoch {epoch + 1}", "count")
            self.tracker.log_image(to_png(figure, dpi=90), "confusion_matrix/val", step=epoch)
        if self._batch is not None:
            images, targets = self._batch
            self._batch = None
            captions = [pl_module.label_mode.examples(target) for target in torch.unbind(targets)]
            title = "a training batch as the model sees it, before normalisation"
            figure = draw_samples(images, captions, title)
            self.tracker.log_png(to_png(figure), "samples/train_batch.png")
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
