"""The devices that a config requests, checked against those of the machine."""

import os
from typing import Any

import torch

from sightline.cluster.slurm import own_job
from sightline.errors import UserError


def check_devices(trainer: dict[str, Any]) -> None:
    """Refuse a trainer config that requests more than this machine has.

    Raises:
        UserError: names the request and what there is.
    """
    accelerator, devices = trainer.get("accelerator"), trainer.get("devices")
    gpus = torch.cuda.device_count()
    # A task of Slurm may use its own share of them alone.
    cores = os.cpu_count() or 1 if own_job() else len(os.sched_getaffinity(0))
    if accelerator in ("gpu", "cuda") and gpus == 0:
        raise UserError(
            f"trainer.accelerator={accelerator}: PyTorch {torch.__version__} finds no GPU here. "
            "Use trainer=cpu, or trainer=auto to take what there is."
        )
    on_gpu = accelerator in ("gpu", "cuda") or (accelerator == "auto" and gpus > 0)
    there, kind = (gpus, "GPU") if on_gpu else (cores, "CPU core")
    wanted = [devices] if isinstance(devices, int) else devices
    if isinstance(wanted, str) and wanted.isdigit():
        wanted = [int(wanted)]
    if isinstance(devices, list):
        too_many = max(devices, default=-1) >= there
    else:
        too_many = isinstance(wanted, list) and wanted[0] > there
    if too_many:
        raise UserError(
            f"trainer.devices={devices}: this machine has {there} {kind}{'s' * (there != 1)}."
        )


def uses_gpu(trainer: dict[str, Any]) -> bool:
    """Whether the trainer that this config describes takes a CUDA device."""
    return torch.cuda.is_available() and trainer.get("accelerator") in ("auto", "gpu", "cuda")


def uses_cpu(trainer: dict[str, Any]) -> bool:
    """Whether the trainer that this config describes takes the CPU."""
    if trainer.get("accelerator") != "auto":
        return trainer.get("accelerator") == "cpu"
    return torch.accelerator.current_accelerator(check_available=True) is None
