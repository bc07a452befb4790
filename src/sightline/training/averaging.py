"""A moving average of the weights, which is what is validated, kept as best and exported."""

from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import EMAWeightAveraging
from pytorch_lightning.trainer.states import TrainerFn


class AveragedWeights(EMAWeightAveraging):
    """Lightning's average, restored for training alone, and saved in the middle of validation too.

    A checkpoint's `state_dict` holds the average; what is trained lies beside it. Lightning would
    also put the latter, or the last average, into a model that a checkpoint is evaluated with.

    Args:
        decay: how much of the average is kept at each step.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(decay=decay)
        self._swapped = False

    def _swap_models(self, pl_module: LightningModule) -> None:
        super()._swap_models(pl_module)
        self._swapped = not self._swapped

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Put the average into `state_dict`."""
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._swapped:
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
        """Training is over: what is evaluated is what its checkpoint says."""
        self._average_model = None
