"""What each of several jobs at once may use: its share of the cores, and of the GPUs."""

import os
from dataclasses import dataclass

import pynvml

from sightline.config import Job, TrainConfig
from sightline.errors import UserError


@dataclass(frozen=True)
class Slot:
    """A place for one job at a time.

    Attributes:
        environment: what its process gets.
    """

    environment: dict[str, str]


def make_slots(n_jobs: int, jobs: list[tuple[TrainConfig, Job]]) -> list[Slot]:
    """Places for `n_jobs` jobs at once.

    Args:
        n_jobs: how many.
        jobs: how many GPUs each asks for.

    Raises:
        UserError: there are not GPUs enough for all slots.
    """
    if n_jobs == 1:
        return [Slot({})]
    cores = len(os.sched_getaffinity(0))
    environment = {} if "OMP_NUM_THREADS" in os.environ else {
        "OMP_NUM_THREADS": str(max(1, cores // n_jobs))  # else they spin on each other's cores
    }  # fmt: skip
    gpus = visible_gpus()
    wanted = max(_gpus_of(config) for config, _ in jobs)
    if not gpus or wanted == 0:
        return [Slot(environment)] * n_jobs
    if wanted > len(gpus):
        raise UserError(f"trainer.devices={wanted}: this machine has {len(gpus)} GPUs.")
    groups = [gpus[start : start + wanted] for start in range(0, len(gpus) - wanted + 1, wanted)]
    return [
        Slot(environment | {"CUDA_VISIBLE_DEVICES": ",".join(groups[index % len(groups)])})
        for index in range(n_jobs)
    ]


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() and name.strip() != "-1"]
    try:
        pynvml.nvmlInit()
        return [str(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:  # no driver: no GPU
        return []


def _gpus_of(config: TrainConfig) -> int:
    if config.trainer.get("accelerator") == "cpu":
        return 0
    devices = config.trainer.get("devices", 1)
    return devices if isinstance(devices, int) and devices > 0 else 1
