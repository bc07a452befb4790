"""What one of several processes noticed, known to all of them at the same batch."""

from typing import Any

import torch
from torch import distributed


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
