"""The choice of what makes a training fast on its device: precision, memory format, compilation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from sightline.config.decided import FORMAT, FUSED, PRECISION
from sightline.config.schema import TrainConfig
from sightline.config.speed_keys import OPEN_PRECISIONS
from sightline.errors import UserError, first_line
from sightline.training.devices import uses_cpu, uses_gpu
from sightline.training.grad_checkpointing import checkpoint_activations
from sightline.training.optimizers import Optimizers
from sightline.training.sharded_checks import is_sharded

FULL = "32-true"
HALF = ("16-mixed", "16-true", "16")
AUTO = "auto"
Convolution = nn.Conv2d | nn.ConvTranspose2d
MATRIX_UNITS = ("amx_bf16", "avx512_bf16", "sve_bf16")  # of processors, as torch.cpu names them


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

    def facts(self) -> dict[str, str]:
        """Parameters of a run, by which it computes in the same way when it is resumed."""
        return {
            PRECISION: self.precision,
            FORMAT: _word(self.channels_last),
            FUSED: _word(self.fused),
        }

    def set_tf32(self) -> None:
        """Set how this process computes float32 on a GPU."""
        if self.tf32 is not None:
            torch.set_float32_matmul_precision("high" if self.tf32 else "highest")
            torch.backends.cudnn.allow_tf32 = self.tf32


def choose_speed(config: TrainConfig, before: Mapping[str, str] | None = None) -> Speed:
    """What a training uses, as its config says and its device is.

    Args:
        config: of the training.
        before: parameters of the run that is resumed; its precision, memory format and optimizer
            step stay.

    Raises:
        UserError: the device cannot do what the config says.
    """
    gpu = uses_gpu(config.trainer)
    model, tf32 = config.model_speed, config.trainer_speed.tf32
    before = before or {}
    given = config.trainer.get("precision", FULL)
    precision = str(given)
    if given in OPEN_PRECISIONS:
        on_cpu = given == AUTO and uses_cpu(config.trainer) and not is_sharded(config)
        precision = before.get(PRECISION, _best_precision(gpu, on_cpu))
    if precision in HALF and not gpu:
        raise UserError(
            f"trainer.precision={precision}: a CPU does not train in 16-bit floating point of this "
            "kind. Use bf16-mixed, 32-true, or auto, which is right for each device."
        )
    if tf32 is True and not _has_tf32(gpu):
        raise UserError("trainer.tf32=true: this device has no tensor cores that take float32.")
    if model.compile:
        _check_compiler(model.grad_checkpointing, "cuda" if gpu else "cpu")
    # A run that logged neither took both on a GPU alone. Shares of parameters have no format.
    fast = gpu or (uses_cpu(config.trainer) and not before)
    formatted = before.get(FORMAT, _word(fast and not is_sharded(config))) == _word(True)
    return Speed(
        precision,
        _has_tf32(gpu) or None if tf32 == "auto" else tf32,
        formatted if model.channels_last == "auto" else model.channels_last,
        model.compile,
        model.grad_checkpointing,
        Optimizers(config).can_fuse() and before.get(FUSED, _word(fast)) == _word(True),
    )


def speed_of(
    speed: Speed, config: TrainConfig, network: nn.Module, before: Mapping[str, str]
) -> Speed:
    """What a network uses of it: on a CPU, depthwise convolutions are slower in bfloat16.

    Args:
        speed: as its device is.
        config: of the training.
        network: that is trained.
        before: parameters of the run that is resumed; empty for a new one.

    Raises:
        UserError: the config asks for a memory format of convolutions, and there are none.
    """
    check_format(config, network)
    convolutions = _convolutions(network)
    if not convolutions:
        speed = replace(speed, channels_last=False)
    chosen = config.trainer.get("precision") == AUTO and PRECISION not in before
    depthwise = any(1 < each.groups == each.in_channels for each in convolutions)
    if chosen and depthwise and uses_cpu(config.trainer):
        speed = replace(speed, precision=FULL)
    return speed


def check_format(config: TrainConfig, network: nn.Module) -> None:
    """Refuse a memory format of convolutions where there are none.

    Raises:
        UserError: there are none.
    """
    if config.model_speed.channels_last is True and not _convolutions(network):
        raise UserError(
            f"model.channels_last=true has no effect: {type(network).__name__} has no convolutions "
            "of images. Leave model.channels_last out."
        )


def _convolutions(network: nn.Module) -> list[Convolution]:
    return [each for each in network.modules() if isinstance(each, Convolution)]


def _word(used: bool) -> str:
    return str(used).lower()


def _best_precision(gpu: bool, on_cpu: bool) -> str:
    """Never 16-mixed: its range is narrow, and losses can overflow."""
    if gpu:
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = on_cpu and any(map(torch.cpu.get_capabilities().get, MATRIX_UNITS))
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
