"""One forward and backward pass of a network at its input size, before a training starts."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sightline.errors import UserError, first_line
from sightline.types import ImgSize, as_size

FEW, MORE = 2, 32  # images


class CannotBuild(UserError):
    """A model cannot be built with these arguments, of which the size of its images is one."""


@dataclass(frozen=True)
class InputCheck:
    """What a network does with images of one size.

    Attributes:
        size: of the images, in pixels.
        error: why it cannot take them; None where it can.
        unseen: share of the pixels that no output depends on; 0 unless whole rows or columns are
            so, since single pixels may be without influence by chance.
        one_value: whether batch normalisation sees one value of each channel in an image, so that
            it cannot train on a batch of one.
    """

    size: ImgSize
    error: str | None = None
    unseen: float = 0.0
    one_value: bool = False

    @property
    def passed(self) -> bool:
        """Whether the network takes the images and depends on all of their pixels."""
        return self.error is None and self.unseen == 0


def check_input(network: nn.Module, in_chans: int, size: ImgSize) -> InputCheck:
    """Run a network on two random images, in evaluation mode; its state stays as it is.

    The pixels that it sees are those for which a random projection of its output has a gradient
    other than exactly zero. Where some are not seen, more images say whether that is so of all:
    the few units of a small network may all be off at a border, by its seed.
    """
    found = _check(network, in_chans, size, FEW)
    return _check(network, in_chans, size, MORE) if found.unseen else found


def _check(network: nn.Module, in_chans: int, size: ImgSize, images: int) -> InputCheck:
    counts: list[int] = []
    handles = [layer.register_forward_hook(_count(counts))
               for layer in network.modules() if _learns(layer)]  # fmt: skip
    try:
        # Some networks draw random numbers even here; those of the training stay as they are.
        with _open(network), torch.random.fork_rng(devices=[]), torch.enable_grad():
            image = _random((images, in_chans, *as_size(size))).requires_grad_()
            gradient = _gradient(network(image), image)
    # A network raises anything for a size that it was not made for.
    except Exception as error:  # noqa: BLE001
        return InputCheck(size, f"{type(error).__name__}: {first_line(error)}")
    finally:
        for handle in handles:
            handle.remove()
    return InputCheck(size, None, _unseen(gradient), 1 in counts)


@contextmanager
def _open(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, and with random numbers for parameters that are all zero.

    A head, or the last norm of a residual branch, that starts with zeros lets no gradient through.
    """
    modes = {module: module.training for module in network.modules()}
    zeros = [p for p in network.parameters() if not p.any()]
    try:
        network.eval()
        for parameter in zeros:
            parameter.data.copy_(_random(tuple(parameter.shape)))
        yield
    finally:
        for parameter in zeros:
            parameter.data.zero_()
        network.train()  # some attention keeps its biases in evaluation mode: it drops them here
        for module, training in modes.items():
            module.training = training


def runs(network: nn.Module, in_chans: int, size: ImgSize) -> bool:
    """Whether a network on the meta device takes images of this size; nothing is computed."""
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            network.eval()(torch.empty(2, in_chans, *as_size(size), device="meta"))
    except Exception:  # noqa: BLE001  as in check_input
        return False
    return True


def _learns(layer: nn.Module) -> bool:
    """Whether a layer is a batch normalisation that is not frozen."""
    return isinstance(layer, _BatchNorm) and (layer.weight is None or layer.weight.requires_grad)


def _count(counts: list[int]) -> Any:
    def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        counts.append(math.prod(inputs[0].shape[2:]))  # values of a channel in an image

    return hook


def _random(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _gradient(output: Any, image: Tensor) -> Tensor | None:
    """The gradient of a random projection of all outputs; None where nothing depends on it."""
    projected = [(out.float() * _random(tuple(out.shape))).sum()
                 for out in _tensors(output) if out.requires_grad]  # fmt: skip
    if not projected:
        return None
    return torch.autograd.grad(torch.stack(projected).sum(), image, allow_unused=True)[0]


def _tensors(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    parts = output.values() if isinstance(output, dict) else output
    if not isinstance(output, dict | list | tuple):
        return []
    return [tensor for part in parts for tensor in _tensors(part)]


def _unseen(gradient: Tensor | None) -> float:
    if gradient is None:
        return 1.0
    zero = (gradient == 0).all(dim=0).all(dim=0)  # (H, W), in all images and channels
    if not (zero.all(dim=0).any() or zero.all(dim=1).any()):
        return 0.0
    return float(zero.float().mean())
