"""Device and precision of inference, as in the training's evaluation."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from sightline.errors import UserError, first_line

MIXED = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}
TRUE = {"16-true": torch.float16, "bf16-true": torch.bfloat16, "64-true": torch.float64}


def choose_device(wanted: str = "auto") -> torch.device:
    """The named device; auto: an accelerator where there is one, else the CPU.

    Raises:
        UserError: this machine has no such device.
    """
    if wanted == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator or torch.device("cpu")
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        line = first_line(error)
        raise UserError(f"device={wanted}: expected auto, cpu, cuda or cuda:N; {line}") from error
    return device


def weights_type(precision: Any) -> torch.dtype:
    """The data type of the weights for Lightning's `precision`."""
    return TRUE.get(str(precision), torch.float32)


def computing(device: torch.device, precision: Any) -> AbstractContextManager[Any]:
    """A context in which a forward pass computes as under Lightning's `precision`."""
    mixed = MIXED.get(str(precision))
    if mixed is None:
        return nullcontext()
    if device.type == "cpu":
        mixed = torch.bfloat16  # as Lightning does for 16-mixed too
    return torch.autocast(device.type, dtype=mixed)
