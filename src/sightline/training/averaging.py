"""The moving average of the weights, which is validated, kept as best and exported."""

from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from sightline.training.lightning_compat import ObservableAverage


def moving_average(decay: float, warmup: bool) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """The function of (average, new weights, updates so far) that gives the next average.

    Args:
        decay, warmup: see `AveragedWeights`.
    """

    def average(mean: Tensor, new: Tensor, updates: Tensor | int) -> Tensor:
        if not mean.is_floating_point():
            return new
        if not warmup:
            return mean.lerp(new, 1 - decay)
        share = torch.as_tensor(1.0 + updates, dtype=torch.float64).pow(-2 / 3)
        return mean.lerp(new, share.clamp(min=1 - decay).to(mean))

    return average


class AveragedWeights(ObservableAverage):
    """Lightning's average, restored for training alone, and saved during validation too.

    Running statistics of batch normalisation are averaged like weights. What does not change stays
    exactly as it is, unlike in the sum of two parts that Lightning's EMAWeightAveraging takes.

    A checkpoint's `state_dict` holds the average; the trained weights lie beside it. Lightning
    would also put the latter, or the last average, into a model that a checkpoint is evaluated
    with.

    Args:
        decay: share of the average that is kept at each step.
        warmup: at step n keep no more than 1 - n^(-2/3), as timm's ModelEmaV3 does: the first
            weights then do not count for long.
    """

    def __init__(self, decay: float, warmup: bool) -> None:
        super().__init__(avg_fn=moving_average(decay, warmup))

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Put the average into `state_dict`."""
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self.average_is_in_module:
            trained = checkpoint["state_dict"]
            checkpoint["state_dict"] = checkpoint["current_model_state"]
            checkpoint["current_model_state"] = trained

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore both, to train on."""
        if trainer.state.fn == TrainerFn.FITTING:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Training is over: what is evaluated is the content of its checkpoint."""
        self.drop_average()
