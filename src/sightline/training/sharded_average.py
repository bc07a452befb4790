"""The moving average of weights that are shared out over ranks: each averages its own share."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from sightline.training.averaging import moving_average
from sightline.training.sharded import ShardedStrategy


class SharedStatistics(Callback):
    """Before a validation, running statistics are those that a checkpoint would hold."""

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take rank 0's."""
        _strategy(trainer).share_statistics()


class ShardedAverage(Callback):
    """What `AveragedWeights` does, with the same content of checkpoints.

    Args:
        decay, warmup: as there.
    """

    def __init__(self, decay: float, warmup: bool) -> None:
        self._mean_of = moving_average(decay, warmup)
        self._average: list[Tensor] = []
        self._updates = 0
        self._step = 0
        self._is_in_module = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the weights as they are."""
        self._average = self._average or _copies(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Average after each step of the optimizer."""
        if trainer.global_step <= self._step:
            return
        for mean, new in zip(self._average, _strategy(trainer).shards(), strict=True):
            mean.copy_(self._mean_of(mean, new, self._updates) if self._updates else new)
        self._updates += 1
        self._step = trainer.global_step

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The average is validated."""
        self._exchange_in_fit(trainer)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Training continues with the trained weights."""
        self._exchange_in_fit(trainer)

    def state_dict(self) -> dict[str, Any]:
        """The step of the last update."""
        return {"latest_update_step": self._step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore it."""
        self._step = state_dict["latest_update_step"]

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Put the average into `state_dict`, and the trained weights beside it."""
        self._exchange(trainer)
        states = [checkpoint["state_dict"], trainer.strategy.lightning_module_state_dict()]
        self._exchange(trainer)
        trained, average = reversed(states) if self._is_in_module else states
        checkpoint["state_dict"], checkpoint["current_model_state"] = average, trained
        checkpoint["averaging_state"] = {"n_averaged": torch.tensor(self._updates)}

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore both, to train on; the average is in the module by now."""
        if trainer.state.fn == TrainerFn.FITTING and "current_model_state" in checkpoint:
            self._average = _copies(trainer)
            self._updates = int(checkpoint["averaging_state"]["n_averaged"])
            _strategy(trainer).load_weights(checkpoint["current_model_state"])

    def _exchange_in_fit(self, trainer: Trainer) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            self._exchange(trainer)
            self._is_in_module = not self._is_in_module

    def _exchange(self, trainer: Trainer) -> None:
        for mean, now in zip(self._average, _strategy(trainer).shards(), strict=True):
            kept = now.clone()
            now.copy_(mean)
            mean.copy_(kept)


def _copies(trainer: Trainer) -> list[Tensor]:
    return [each.clone() for each in _strategy(trainer).shards()]


def _strategy(trainer: Trainer) -> ShardedStrategy:
    strategy = trainer.strategy
    assert isinstance(strategy, ShardedStrategy)
    return strategy
