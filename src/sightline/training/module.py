"""The LightningModule of every label mode: steps, sums of an epoch, and prediction tables."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.types import LRSchedulerConfigType, OptimizerLRSchedulerConfig
from torch import Tensor, nn

from sightline.data.loading.datamodule import ImageDataModule
from sightline.data.loading.datasets import Batch
from sightline.label_modes.base import LabelMode
from sightline.metrics.values import compute_metrics
from sightline.models.classifier import Classifier
from sightline.predictions import Predictions
from sightline.training.checkpointing.adapt import adapt_checkpoint, follow_schedule
from sightline.training.epoch_state import epoch_state, resumed_sums
from sightline.training.epoch_sums import EpochSums
from sightline.training.finite_loss import FiniteLoss
from sightline.training.lightning_compat import accumulation_scale, last_step_of, steps_per_epoch_of
from sightline.training.methods.base import Method
from sightline.training.optimizers import Optimizers
from sightline.training.outputs import Outputs, check_finite, of_all_ranks, table_of
from sightline.training.schedules import ObservesMetrics, Schedulers
from sightline.training.train_step import train_step


class LitClassifier(LightningModule):
    """Trains a Classifier and turns evaluations into Predictions.

    Metrics of an evaluated split are computed from its whole table at the end of the epoch, so
    they depend neither on the batch size nor on the number of processes.

    Args:
        classifier, label_mode: the model, and the interpretation of targets and outputs.
        criterion: loss of `label_mode.loss_inputs`.
        ids: ids of the samples of each split.
        make_optimizer, make_scheduler: of what learns in this module; of (optimizer, total
            steps, steps an epoch).
        method: makes the loss of a batch; of its networks those that it says are trained here.
        identity: plain containers that make a checkpoint self-contained.
        plugins: packages with metrics of their own.

    Attributes:
        predictions: the latest table of each evaluated split.
        epoch_metrics: the latest value of each metric, in double precision.
    """

    _sums: EpochSums
    _finite: FiniteLoss

    def __init__(
        self, classifier: Classifier, label_mode: LabelMode, criterion: nn.Module,
        ids: dict[str, pa.Array], make_optimizer: Optimizers, make_scheduler: Schedulers,
        method: Method, identity: dict[str, Any], plugins: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.classifier = classifier
        self.label_mode = label_mode
        self.criterion = criterion
        self.make_optimizer = make_optimizer
        self.make_scheduler = make_scheduler
        self.own_method = method
        self.method = nn.ModuleDict(method.trained())
        self.ids, self.identity, self.plugins = ids, identity, plugins
        self.predictions: dict[str, Predictions] = {}
        self.epoch_metrics: dict[str, float] = {}
        self._outputs = Outputs()
        self._saved: dict[str, Any] | None = None  # of the checkpoint that training resumes from
        self._adapted = False

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put class names, label mode, preprocessing and config beside the weights.

        And the sums of the epoch so far, for a run that resumes within it.
        """
        checkpoint["sightline"] = self.identity | {"precision": str(self.trainer.precision)}
        if state := self.own_method.state_dict():
            checkpoint["method"] = state
        checkpoint["epoch_so_far"] = epoch_state(self, self._sums, self.epoch_metrics)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the sums of the interrupted epoch."""
        trainer = self.trainer
        self._adapted = adapt_checkpoint(checkpoint, trainer.max_epochs, trainer.world_size)
        self._saved = checkpoint["epoch_so_far"]
        self.own_method.load_state_dict(checkpoint.get("method", {}))

    def setup(self, stage: str) -> None:
        """Group the parameters while each is whole: a strategy may share them out."""
        if stage == "fit":
            self._groups = self.make_optimizer.groups(self)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimizer over what is trainable, and its scheduler by steps."""
        optimizer = self.make_optimizer.of_groups(self._groups)
        total = last_step_of(self.trainer)
        scheduler = self.make_scheduler(optimizer, total, steps_per_epoch_of(self.trainer, total))
        steps: LRSchedulerConfigType = {"scheduler": scheduler, "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": steps}

    # Training: sums stay on the device and are read once an epoch.

    def on_train_start(self) -> None:
        """Resume the sums of an interrupted epoch."""
        self._finite = FiniteLoss(self.device)
        for network in self.own_method.owned().values():
            network.to(self.device)
        if self._saved is None:
            return
        self._sums = resumed_sums(self, self._saved)
        self.epoch_metrics = dict(self._saved["metrics"])
        if self._adapted:
            follow_schedule(self)

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's sums and metrics."""
        self.epoch_metrics.clear()
        self.predictions.pop("val", None)
        self._sums = EpochSums(self.device)
        self._finite.reset()
        datamodule = getattr(self.trainer, "datamodule", None)
        if isinstance(datamodule, ImageDataModule):
            datamodule.start_epoch(self.current_epoch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The batch's mean loss, as a part of the mean over its group of accumulated batches."""
        self._sums.resume()  # after a validation within the epoch
        step = (self.label_mode, self.classifier, batch, self.criterion)
        loss = train_step(self.own_method, *step, self._sums)
        self._finite.check(self, loss.detach())
        return loss * accumulation_scale(self.trainer, batch_idx)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """At the epoch's last batch, also where the training stops within the epoch."""
        last_step = 0 < self.trainer.max_steps <= self.global_step
        if self.trainer.is_last_batch or last_step or self.trainer.should_stop:
            self._read_sums()

    def on_validation_start(self) -> None:
        """Before a validation within the epoch, after which the training may stop."""
        if self.trainer.state.fn == TrainerFn.FITTING:
            self._read_sums()

    def _read_sums(self) -> None:
        """Stop the epoch's clock and read its sums; nothing where that was just done."""
        if self._sums.paused:
            return
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            self._finite.read(self)
        self._sums.pause()
        ranks = of_all_ranks(self, self._sums.values())
        values = [sum(column) for column in zip(*ranks, strict=True)]
        self.epoch_metrics |= self._sums.metrics(values, self._sums.seconds)

    # Evaluation: the logits of every sample become one table.

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep the batch's logits."""
        logits = self.classifier(batch["image"]).float()
        self._outputs.add(batch["index"], batch["target"], logits)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep the batch's logits."""
        self.validation_step(batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        """Log val metrics."""
        self._finish("val")

    def on_test_epoch_end(self) -> None:
        """Log test metrics."""
        self._finish("test")

    def _finish(self, split: str) -> None:
        index, target, logits = self._outputs.gather(self)
        ood = self.identity["config"]["tuning"]["ood"]
        table = table_of(self.label_mode, self.ids[split], index, target, logits, ood)
        check_finite(table, split, self.current_epoch)
        loss = self.criterion.cpu()(*self.label_mode.loss_inputs(logits, target))
        self.criterion.to(self.device)
        metrics = {"loss": float(loss), **compute_metrics(self.label_mode, table, self.plugins)}
        self.predictions[split] = table
        if self.trainer.state.fn == TrainerFn.FITTING:
            self._show_to_schedule(metrics)
        self.epoch_metrics |= {f"{split}/{name}": value for name, value in metrics.items()}
        shown, several = self.label_mode.epoch_line, self.trainer.world_size > 1
        for name, each in metrics.items():  # for callbacks that monitor, and for the bar
            self.log(f"{split}/{name}", each, sync_dist=several, prog_bar=name in shown)

    def _show_to_schedule(self, metrics: dict[str, float]) -> None:
        """Let a schedule that goes by a metric see those of a validation."""
        schedule: object = self.lr_schedulers()
        if isinstance(schedule, ObservesMetrics):
            schedule.observe(metrics)
