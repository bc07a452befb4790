"""Checks of the output folder, the devices, and one step of the training with its memory."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

from sightline.config.schema import TrainConfig
from sightline.data.cache.entries import GIB, MIB
from sightline.doctor.findings import Report
from sightline.errors import UserError
from sightline.training.batches import short_epoch
from sightline.training.devices import check_devices, uses_gpu
from sightline.training.setup import Setup

STATES = 3  # in a checkpoint: the weights, and Adam's two averages of each
CHECKPOINTS = 2  # best and last


def check_folder(report: Report, output_dir: Path, setup: Setup | None) -> None:
    """Report whether the output folder can be written and has room for the checkpoints."""
    there = next(folder for folder in (output_dir, *output_dir.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"sightline")
    except OSError as error:
        report.add("folder", "error", f"{there} cannot be written: {error.strerror}.")
        return
    free = shutil.disk_usage(there).free
    if setup is None:
        report.add("folder", "ok", f"{output_dir} can be written, {free / GIB:.1f} GiB free")
        return
    size = sum(p.numel() * p.element_size() for p in setup.module.parameters())
    needed = size * STATES * CHECKPOINTS
    text = f"{needed / MIB:,.0f} MiB of checkpoints, {free / GIB:.1f} GiB free in {there}"
    report.add("folder", "ok" if needed < 0.9 * free else "error", text)


def check_machine(report: Report, config: TrainConfig) -> None:
    """Report whether the devices that the trainer requests are there, and their memory."""
    report.attempt("devices", lambda: check_devices(config.trainer))
    if uses_gpu(config.trainer):
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name()
        text = (
            f"{torch.cuda.device_count()} × {name}, {free / GIB:.0f} of {total / GIB:.0f} GiB free"
        )
    else:
        memory = psutil.virtual_memory().available / GIB
        text = f"CPU, {len(os.sched_getaffinity(0))} cores, {memory:.1f} GiB of memory free"
    report.add("devices", "ok", f"{text}; PyTorch {torch.__version__}")


def check_step(report: Report, config: TrainConfig, setup: Setup) -> Any:
    """Run one training batch forwards and backwards, and report its loss and memory.

    Returns:
        The batch.

    Raises:
        UserError: the loss is not finite, or there is no gradient.
    """
    device = torch.device("cuda" if uses_gpu(config.trainer) else "cpu")
    module = setup.module.to(device).train()
    loaded: Any = next(iter(setup.datamodule.train_dataloader()))
    batch = setup.datamodule.augmented(loaded, epoch=0)
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    image, target = batch["image"].to(device), batch["target"].to(device)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        logits = module.classifier(image)
        loss = module.criterion(*module.label_mode.loss_inputs(logits, target))
    loss.backward()
    if not torch.isfinite(loss):
        raise UserError(f"The loss of the first batch is {loss.item()}.")
    if not any(p.grad is not None and p.grad.any() for p in module.parameters()):
        raise UserError("The first batch gives no gradient: nothing would be learnt.")
    if steps := short_epoch(config, setup.training_images):
        report.add("steps", "warning", steps)
    report.add("step", "ok", f"a batch of {len(target)}: loss {loss.item():.4f}, with gradients")
    _check_memory(report, setup, sum(saved.values()), device)
    return batch


def _check_memory(report: Report, setup: Setup, activations: int, device: torch.device) -> None:
    module, cached_images = setup.module, setup.datamodule.cached_images
    weights = 4 * sum(p.numel() * p.element_size() for p in module.parameters())
    cached = cached_images.nbytes
    needed = activations + weights + cached
    on_gpu = device.type == "cuda"
    free = torch.cuda.mem_get_info()[0] if on_gpu else psutil.virtual_memory().available
    report.add(
        "memory", "ok" if needed < 0.9 * free else "error",
        f"about {needed / MIB:,.0f} MiB: {activations / MIB:,.0f} for a batch's activations, "
        f"{weights / MIB:,.0f} for weights, gradients and Adam, {cached / MIB:,.0f} for images "
        f"(cache={cached_images.mode}); {free / GIB:.1f} GiB are free",
    )  # fmt: skip
