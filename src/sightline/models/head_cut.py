"""The cut of a network before its head: the head's inputs, and the head alone on them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sightline.models.head import head_module


@dataclass(frozen=True)
class HeadCut:
    """The head of a network, which gives the network's logits from its own inputs.

    Attributes:
        head: a part of the network.
        shape: of the head's input, for one image.
    """

    head: nn.Module
    shape: torch.Size


class NoCut(Exception):
    """A network whose logits are not those of its head alone; the text says why."""


def cut_head(network: nn.Module, example: Tensor) -> HeadCut:
    """The cut of a network, tried on two normalised images (2, C, H, W).

    Raises:
        NoCut: it has no single head, or does more with the head's output.
    """
    name = head_module(network)
    if name is None:
        raise NoCut("it has no single head")
    head = network.get_submodule(name)
    with _in_evaluation(network), torch.no_grad():
        inputs, logits = _run(network, head, example)
        if len(inputs) != 1 or not torch.equal(head(inputs[0]), logits):
            raise NoCut("its logits are not those of its head alone")
    if inputs[0].shape[1:] == example.shape[1:]:
        raise NoCut("the inputs of its head have the shape of images")
    return HeadCut(head, inputs[0].shape[1:])


def head_inputs(network: nn.Module, head: nn.Module, images: Iterable[Tensor]) -> Tensor:
    """The head's inputs (N, ...) of normalised images, batch by batch, on their device."""
    # Not as inference tensors: a head is trained on them.
    with _in_evaluation(network), torch.inference_mode(False), torch.no_grad():
        return torch.cat([_run(network, head, batch)[0][0] for batch in images])


@contextmanager
def _in_evaluation(network: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    network.eval()
    yield
    for module, training in modes.items():
        module.training = training


def _run(network: nn.Module, head: nn.Module, images: Tensor) -> tuple[list[Tensor], Any]:
    """What the head was given while the network ran, and the network's output."""
    given: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    try:
        return given, network(images)
    finally:
        handle.remove()
