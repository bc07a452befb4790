"""The state of an epoch in a checkpoint, from which an interrupted epoch is resumed."""

from typing import Any

from pytorch_lightning import LightningModule

from sightline.training.epoch_sums import EpochSums
from sightline.training.outputs import of_all_ranks


def epoch_state(
    module: LightningModule, sums: EpochSums, metrics: dict[str, float]
) -> dict[str, Any]:
    """The sums of all ranks, and the metrics so far, as plain containers."""
    return {
        "values": of_all_ranks(module, sums.values()),
        "seconds": sums.seconds,
        "metrics": dict(metrics),
        "log_names": sorted(sums.logs),
    }


def resumed_sums(module: LightningModule, saved: dict[str, Any]) -> EpochSums:
    """This rank's sums of the interrupted epoch."""
    values, seconds = share(saved, module.global_rank, module.trainer.world_size)
    names = saved.get("log_names", ())  # since there are methods
    return EpochSums(module.device, values, seconds, names)


def share(saved: dict[str, Any], rank: int, world: int) -> tuple[list[float], float]:
    """A rank's sums and seconds from a checkpoint; with another number of ranks, rank 0 has all.

    Args:
        saved: `values` of each rank, and `seconds`.
        rank: this process among `world`.
        world: processes that train together.
    """
    values: list[list[float]] = [_with_weight(each) for each in saved["values"]]
    if len(values) == world:
        return values[rank], saved["seconds"]
    total = [sum(column) for column in zip(*values, strict=True)]
    return total if rank == 0 else [0.0] * len(total), saved["seconds"]


def _with_weight(values: list[float]) -> list[float]:
    """Sums of a checkpoint; before 0.2.0 each loss was weighted by the samples of its batch."""
    return values if len(values) >= 5 else [*values, values[3]]
