"""The choice of what makes a training fast on its device: precision, memory format, compilation."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from sightline.config.decided import PRECISION
from sightline.config.schema import TrainConfig
from sightline.errors import UserError, first_line
from sightline.training.devices import uses_gpu
from sightline.training.grad_checkpointing import checkpoint_activations
from sightline.training.optimizers import Optimizers

FULL = "32-true"
HALF = ("16-mixed", "16-true", "16")
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class Speed:
    """What a training uses.

    Attributes:
        precision: Lightning's.
        tf32: whether float32 is computed on tensor cores; None: as PyTorch has it.
        channels_last: whether convolutions take the channels as the last axis in memory.
        compile: whether the network is compiled.
        grad_checkpointing: whether activations are computed anew in the backward pass.
        fused: whether one kernel steps all parameters.
    """

    precision: str
    tf32: bool | None = None
    channels_last: bool = False
    compile: bool = False
    grad_checkpointing: bool = False
    fused: bool = False

    def describe(self) -> str:
        """One line for people."""
        used = {
            "tf32": self.tf32,
            "channels_last": self.channels_last,
            "compiled": self.compile,
            "gradient checkpointing": self.grad_checkpointing,
            "fused optimizer": self.fused,
        }
        return ", ".join([f"precision {self.precision}", *(k for k, v in used.items() if v)])

    def apply(self, network: nn.Module) -> None:
        """Make a network compute so; its state dict keeps its keys.

        Raises:
            UserError: the network cannot.
        """
        if self.channels_last:
            network.to(memory_format=torch.channels_last)
        if self.grad_checkpointing:
            checkpoint_activations(network)
        if self.compile:
            # One graph for each size: which of two graphs is taken for a size would depend on the
            # sizes before, and a resumed training has seen others.
            network.compile(dynamic=False)

    def set_tf32(self) -> None:
        """Set how this process computes float32 on a GPU."""
        if self.tf32 is not None:
            torch.set_float32_matmul_precision("high" if self.tf32 else "highest")
            torch.backends.cudnn.allow_tf32 = self.tf32


def choose_speed(config: TrainConfig, before: Mapping[str, str] | None = None) -> Speed:
    """What a training uses, as its config says and its device is.

    Args:
        config: of the training.
        before: parameters of the run that is resumed; its precision stays.

    Raises:
        UserError: the device cannot do what the config says.
    """
    gpu = uses_gpu(config.trainer)
    model, tf32 = config.model_speed, config.trainer_speed.tf32
    precision = str(config.trainer.get("precision", FULL))
    if precision == "auto":
        precision = (before or {}).get(PRECISION, _best_precision(gpu))
    if precision in HALF and not gpu:
        raise UserError(
            f"trainer.precision={precision}: a CPU does not train in 16-bit floating point of this "
            "kind. Use bf16-mixed, 32-true, or auto, which is right for each device."
        )
    if tf32 is True and not _has_tf32(gpu):
        raise UserError("trainer.tf32=true: this device has no tensor cores that take float32.")
    if model.compile:
        _check_compiler(model.grad_checkpointing, "cuda" if gpu else "cpu")
    device = torch.device("cuda" if gpu else "cpu")
    return Speed(
        precision,
        _has_tf32(gpu) or None if tf32 == "auto" else tf32,
        gpu if model.channels_last == "auto" else model.channels_last,
        model.compile,
        model.grad_checkpointing,
        bool(Optimizers(config).implementation(device).get("fused")),
    )


def check_format(config: TrainConfig, network: nn.Module) -> None:
    """Refuse a memory format of convolutions where there are none.

    Raises:
        UserError: there are none.
    """
    given = config.model_speed.channels_last
    if given is True and not any(isinstance(each, CONVOLUTIONS) for each in network.modules()):
        raise UserError(
            f"model.channels_last=true has no effect: {type(network).__name__} has no convolutions "
            "of images. Leave model.channels_last out."
        )


def _best_precision(gpu: bool) -> str:
    """Never 16-mixed: its range is narrow, and losses can overflow."""
    native = gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16-mixed" if native else FULL


def _has_tf32(gpu: bool) -> bool:
    return gpu and torch.cuda.get_device_capability()[0] >= 8


def _check_compiler(grad_checkpointing: bool, device: str) -> None:
    """Compile one addition: a compiler that is missing is found before data is read."""
    if grad_checkpointing:
        raise UserError(
            "model.compile=true model.grad_checkpointing=true: torch.compile decides itself what "
            "is kept for the backward pass. Give one of the two."
        )
    try:
        torch.compile(torch.add)(torch.zeros(1, device=device), 1)
    except Exception as error:  # what is missing decides what is raised
        raise UserError(
            f"model.compile=true: torch.compile does not work here ({first_line(error)}). It needs "
            "a C++ compiler (g++), and Triton for a GPU; use model.compile=false."
        ) from error
