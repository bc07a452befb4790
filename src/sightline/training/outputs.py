"""The outputs of an evaluation, collected batch by batch and gathered from all processes."""

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor


class Outputs:
    """Positions in the split, targets and logits of the batches so far."""

    def __init__(self) -> None:
        self._batches: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, index: Tensor, target: Tensor, logits: Tensor) -> None:
        """Keep a batch: positions (B,), targets (B, ...) and logits (B, outputs)."""
        self._batches.append((index, target, logits))

    def gather(self, module: LightningModule) -> tuple[Tensor, Tensor, Tensor]:
        """All processes' outputs on the CPU, in the split's order, each sample once."""
        columns = [torch.cat(column) for column in zip(*self._batches, strict=True)]
        self._batches.clear()
        if module.trainer.world_size > 1:
            # A distributed sampler repeats samples until every process has as many.
            columns = [module.all_gather(column).flatten(0, 1) for column in columns]  # type: ignore[union-attr]
        index, target, logits = (column.cpu() for column in columns)
        order = torch.from_numpy(np.unique(index.numpy(), return_index=True)[1])
        return index[order], target[order], logits[order]
