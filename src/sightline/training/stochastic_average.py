"""The equal average of the weights at the ends of the last epochs (SWA, Izmailov et al. 2018)."""

from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from sightline.training.lightning_compat import ObservableAverage

KEY = "stochastic_average"  # in a checkpoint


class StochasticAverage(ObservableAverage):
    """Lightning's average, updated once an epoch, which is validated at the end alone.

    Until then its statistics of batch normalisation are not its own. So what a training validates
    and keeps as best are the trained weights.

    Args:
        start_epoch: the first whose weights count, from 1.
    """

    def __init__(self, start_epoch: int) -> None:
        super().__init__(use_buffers=False)
        self.start_epoch = start_epoch

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """At the end of each epoch from the first on."""
        return epoch_idx is not None and epoch_idx + 1 >= self.start_epoch

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The trained weights stay where they are."""

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Likewise."""

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Likewise."""

    def state_dict(self) -> dict[str, Any]:
        """The step and the epoch of the last update."""
        return super().state_dict() | {"latest_update_epoch": self._latest_update_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them."""
        super().load_state_dict(state_dict)
        self._latest_update_epoch = state_dict["latest_update_epoch"]

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Put the average beside the trained weights, once there is one."""
        average = self._average_model
        if average is not None and int(average.n_averaged):
            checkpoint[KEY] = average.state_dict()

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore it, to train on."""
        if trainer.state.fn == TrainerFn.FITTING and KEY in checkpoint:
            assert self._average_model is not None
            self._average_model.load_state_dict(checkpoint[KEY])

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Training is over: its checkpoint holds the average."""
        self.drop_average()
