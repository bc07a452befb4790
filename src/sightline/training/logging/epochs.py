"""The log of a training's epochs: metrics, the val confusion matrix, and one training batch."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from sightline.reports.canvas import to_png
from sightline.reports.figures.confusion import draw_confusion
from sightline.reports.figures.image_grid import MAX_IMAGES, draw_samples
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker
from sightline.training.logging.val_images import SERIES
from sightline.training.module import LitClassifier
from sightline.training.param_groups import base_lr


class EpochLogger(Callback):
    """Logs each epoch's metrics, the val confusion matrix and one training batch."""

    def __init__(self, tracker: Tracker, connection: SenderClient) -> None:
        self.tracker = tracker
        self.connection = connection
        self._batch: tuple[Tensor, Tensor] | None = None

    @property
    def state_key(self) -> str:
        """The key of its state in a checkpoint, as it is since 0.1.0."""
        return "TrackEpochs"

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keep the first batch, for a figure at the end of the epoch; not one of features."""
        assert isinstance(pl_module, LitClassifier)
        if trainer.current_epoch == 0 and batch_idx == 0 and pl_module.classifier.cut is None:
            count = min(MAX_IMAGES, len(batch["image"]))
            images = batch["image"][:count].cpu().round().to(torch.uint8)
            self._batch = (images, batch["target"][:count].cpu())

    def state_dict(self) -> dict[str, Any]:
        """The batch that is not drawn yet."""
        return {} if self._batch is None else {"batch": list(self._batch)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the batch, to draw it at the end of the resumed epoch."""
        if "batch" in state_dict:
            images, targets = state_dict["batch"]
            self._batch = (images, targets)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch."""
        assert isinstance(pl_module, LitClassifier)
        epoch = trainer.current_epoch
        rates = {"train/lr": base_lr(trainer.optimizers[0])}
        self.tracker.log_metrics(pl_module.epoch_metrics | rates, step=epoch)
        if "val" in pl_module.predictions:
            matrices = pl_module.label_mode.confusion_matrices(pl_module.predictions["val"])
            figure = draw_confusion(
                matrices, f"val, epoch {epoch + 1}, by the default rule", "count"
            )
            self.tracker.log_image(to_png(figure, dpi=90), f"{SERIES}/confusion_matrix", step=epoch)
        if self._batch is not None:
            images, targets = self._batch
            self._batch = None
            captions = [pl_module.label_mode.examples(target) for target in torch.unbind(targets)]
            title = "a training batch as the model sees it, before normalisation"
            figure = draw_samples(images, captions, title)
            self.tracker.log_png(to_png(figure), "samples/train_batch.png")
        self.tracker.flush()
        self.connection.poll()
