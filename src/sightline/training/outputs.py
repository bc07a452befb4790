"""The outputs of an evaluation, collected batch by batch and gathered from all processes."""

import numpy as np
import pyarrow as pa
import torch
from pytorch_lightning import LightningModule
from torch import Tensor

from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.metrics.ood_rule import COLUMN
from sightline.metrics.ood_scores import score_of_logits
from sightline.predictions import Predictions


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


def table_of(
    label_mode: LabelMode, ids: pa.Array, index: Tensor, target: Tensor, logits: Tensor,
    ood: str | None = None,
) -> Predictions:  # fmt: skip
    """Outputs as a prediction table.

    Args:
        label_mode: of the outputs.
        ids: of all samples of the split.
        index: shape (N,), positions in the split.
        target: encoded, shape (N, ...).
        logits: shape (N, outputs).
        ood: the score of unknown images that becomes a column; None for none.
    """
    metadata = {}
    if ood is not None:
        each = logits.double().numpy()
        metadata[COLUMN] = score_of_logits(ood, each, label_mode.exclusive)
    return Predictions(
        ids=np.array(ids.take(pa.array(index.numpy())).to_pylist(), dtype=str),
        targets=target.numpy(),
        probs=label_mode.probs(logits).numpy(),
        class_names=label_mode.class_names,
        label_mode=label_mode.name,
        metadata=metadata,
    )


def check_finite(table: Predictions, split: str, epoch: int) -> None:
    """Check the probabilities of an evaluation.

    Raises:
        UserError: one of them is not finite.
    """
    if not np.isfinite(table.probs).all():
        raise UserError(
            f"The model's outputs on {split} are not finite after epoch {epoch}. "
            "Try a smaller optimizer.lr or trainer.gradient_clip_val=1.0."
        )


def of_all_ranks(module: LightningModule, values: list[float]) -> list[list[float]]:
    """The values of each process, in the order of their ranks."""
    if module.trainer.world_size == 1:
        return [values]
    gathered = module.all_gather(torch.tensor(values, dtype=torch.float64, device=module.device))
    assert isinstance(gathered, Tensor)
    return gathered.tolist()
