"""Weights of a checkpoint, checked before a network is built for them.

A stranger's file can describe a network of any size, and hold tensors that claim to be larger than
their content. So the network is first built without memory, and its shapes are compared.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import UserError

ABSENT = "not there"
SHOWN = 2  # problems in a message
EXTRA = "_extra_state"  # torch's name of what a module keeps beside its tensors


def check_tensors(state: Any) -> dict[str, Tensor]:
    """A checkpoint's `state_dict`, if it is one.

    Raises:
        ValueError: says what is no weight, or is none that can be used.
    """
    if not isinstance(state, Mapping):
        raise ValueError(f"its state_dict is no mapping, but {type(state).__name__}")
    for name, tensor in state.items():
        if isinstance(name, str) and name.endswith(EXTRA):
            continue
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(f"its state_dict holds {str(name)[:80]!r}, which is no named tensor")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise ValueError(f"its weights {name} are not plain numbers")
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError(f"its weights {name} claim to be larger than what is stored")
    return dict(state)


def check_shapes(build: Callable[[], nn.Module], weights: Mapping[str, Tensor]) -> None:
    """Compare the shapes of a network with those of weights, before it takes any memory.

    Args:
        build: builds the network.
        weights: by the network's names.

    Raises:
        UserError: the network cannot be built.
        ValueError: names the weights that do not fit.
    """
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            wanted = _shapes(build().state_dict())
    except UserError:
        raise
    # Whatever a network raises that cannot be built without memory: it is built in earnest.
    except Exception:  # noqa: BLE001
        return
    stored = _shapes(weights)
    problems = [
        f"{name} is {stored.get(name, ABSENT)}, but the model's is {wanted.get(name, ABSENT)}"
        for name in [*wanted, *(name for name in stored if name not in wanted)]
        if wanted.get(name) != stored.get(name)
    ]
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise ValueError(f"{'; '.join(problems[:SHOWN])}{more}")


def _shapes(state: Mapping[str, Any]) -> dict[str, str]:
    """The shape of each tensor in words, and whether its numbers are complex."""
    return {
        name: f"{list(each.shape)}{' of complex numbers' if each.is_complex() else ''}"
        for name, each in state.items()
        if isinstance(each, Tensor)
    }
