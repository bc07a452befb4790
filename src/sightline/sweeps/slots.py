"""Slots for jobs at the same time: each with its share of the cores, and of the GPUs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import pynvml

from sightline.cluster.launched import node_count
from sightline.config.schema import TrainConfig
from sightline.errors import UserError


@dataclass(frozen=True)
class Slot:
    """A slot for one job at a time.

    Attributes:
        environment: variables of its process.
    """

    environment: dict[str, str]


def check_n_jobs(n_jobs: int) -> None:
    """Check the number of jobs at a time.

    Raises:
        UserError: it is not a whole number of at least 1.
    """
    if not isinstance(n_jobs, int) or isinstance(n_jobs, bool) or n_jobs < 1:
        raise UserError(f"hydra.launcher.n_jobs={n_jobs}: expected a whole number of at least 1.")


def make_slots(n_jobs: int, configs: Sequence[TrainConfig]) -> list[Slot]:
    """Slots for `n_jobs` jobs at the same time; where there are more slots than GPUs, they share.

    Args:
        n_jobs: how many.
        configs: of the jobs, which give the number of processes and GPUs of each.

    Raises:
        UserError: a job requests more GPUs than there are, GPUs by their indices, or more machines.
    """
    nodes = max(node_count(config.trainer) for config in configs)
    if nodes > 1:
        raise UserError(
            f"trainer.num_nodes={nodes}: hydra/launcher=local runs jobs on this machine alone; "
            "give hydra/launcher=slurm."
        )
    if n_jobs == 1:
        return [Slot({})]
    wanted = max(_devices(config) for config in configs)
    cores = len(os.sched_getaffinity(0))
    environment = {} if "OMP_NUM_THREADS" in os.environ else {
        "OMP_NUM_THREADS": str(max(1, cores // (n_jobs * wanted)))  # else jobs compete for cores
    }  # fmt: skip
    gpus = visible_gpus()
    if not gpus or all(config.trainer.get("accelerator") == "cpu" for config in configs):
        return [Slot(environment)] * n_jobs
    if wanted > len(gpus):
        raise UserError(f"trainer.devices={wanted}: this machine has {len(gpus)} GPUs.")
    groups = [gpus[start : start + wanted] for start in range(0, len(gpus) - wanted + 1, wanted)]
    return [
        Slot(environment | {"CUDA_VISIBLE_DEVICES": ",".join(groups[index % len(groups)])})
        for index in range(n_jobs)
    ]


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, in the form of CUDA_VISIBLE_DEVICES."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() and name.strip() != "-1"]
    try:
        pynvml.nvmlInit()
        return [str(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:  # no driver: no GPU
        return []


def _devices(config: TrainConfig) -> int:
    """The number of devices of a job; `auto` is one, that of its slot."""
    devices = config.trainer.get("devices", 1)
    if isinstance(devices, list):
        raise UserError(
            f"trainer.devices={devices}: with hydra.launcher.n_jobs above 1 each job gets GPUs of "
            "its own; say how many (trainer.devices=1)."
        )
    return int(devices) if str(devices).isdigit() and int(devices) > 0 else 1
