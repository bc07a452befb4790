"""Agreement of several processes: a number, and the config, known to all at the same batch."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import distributed

from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.runs.resume import differences


class Agreement:
    """Exchanges a number between ranks at every batch, without waiting.

    A rank that saved because of a signal that the others had not received yet would wait for them
    for ever. A number given at one call is known to all ranks at the next.
    """

    def __init__(self) -> None:
        self._group: Any = None
        self._sent: torch.Tensor | None = None
        self._work: distributed.Work | None = None

    def highest(self, number: int, now: bool = False) -> int:
        """The highest number of all ranks at the call before; of one process alone, this one.

        Args:
            number: this rank's.
            now: wait for the numbers of this call.
        """
        if not distributed.is_initialized() or distributed.get_world_size() == 1:
            return number
        if self._group is None:  # of its own: on processors, beside the gradients' one
            self._group = distributed.new_group(backend="gloo")
        received = self._receive()
        self._sent = torch.tensor(number)
        self._work = distributed.all_reduce(
            self._sent, distributed.ReduceOp.MAX, self._group, async_op=True
        )
        return max(received, self._receive()) if now else received

    def _receive(self) -> int:
        if self._work is None or self._sent is None:
            return 0
        self._work.wait()
        self._work = None
        return int(self._sent)


class SameConfig(Callback):
    """Refuses ranks whose configs differ, as where one reads another environment or file.

    Args:
        config: this rank's.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Compare before anything is trained.

        Raises:
            UserError: in every rank; names each key with both values.
        """
        if stage != "fit" or trainer.world_size == 1:
            return
        configs: list[Any] = [None] * trainer.world_size
        distributed.all_gather_object(configs, self.config)
        for number, other in enumerate(configs):
            differing = differences(configs[0], other)
            if differing:
                pairs = "; ".join(f"{key}: {one!r} and {two!r}" for key, one, two in differing)
                raise UserError(f"The processes 0 and {number} have different configs: {pairs}.")
