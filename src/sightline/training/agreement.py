"""What one of several processes noticed, known to all of them at the same batch."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import distributed

from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.runs.resume import differences


class Agreement:
    """Ranks that tell each other a number at every batch, without waiting for each other.

    A rank that saved because of a signal that the others had not seen yet would wait for them for
    ever. What is told at one call is known to all at the next.
    """

    def __init__(self) -> None:
        self._group: Any = None
        self._told: torch.Tensor | None = None
        self._work: distributed.Work | None = None

    def highest(self, number: int, now: bool = False) -> int:
        """The highest number of all ranks, of the call before; alone, this one.

        Args:
            number: this rank's.
            now: wait for what the others say at this call.
        """
        if not distributed.is_initialized() or distributed.get_world_size() == 1:
            return number
        if self._group is None:  # of its own: on processors, beside the gradients' one
            self._group = distributed.new_group(backend="gloo")
        heard = self._hear()
        self._told = torch.tensor(number)
        self._work = distributed.all_reduce(
            self._told, distributed.ReduceOp.MAX, self._group, async_op=True
        )
        return max(heard, self._hear()) if now else heard

    def _hear(self) -> int:
        if self._work is None or self._told is None:
            return 0
        self._work.wait()
        self._work = None
        return int(self._told)


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
                said = "; ".join(f"{key}: {one!r} and {two!r}" for key, one, two in differing)
                raise UserError(f"The processes 0 and {number} have different configs: {said}.")
