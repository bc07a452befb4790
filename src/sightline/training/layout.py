"""The memory layout of gradients and of an optimizer's state, as a fused step needs it.

torch's fused kernels walk through the memory of a parameter, its gradient and its state side by
side: where their strides differ, as after loading a state that another layout had, values would
meet those of other places, without an error.
"""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def keep_layout(optimizer: Optimizer) -> None:
    """Give gradients before each step, and loaded states, the strides of their parameters."""
    optimizer.register_step_pre_hook(_align_gradients)
    optimizer.register_load_state_dict_post_hook(_align_state)


def _align_state(optimizer: Optimizer) -> None:
    """Give the state of each parameter the strides that the parameter has."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = _like(parameter, value)


def _align_gradients(optimizer: Optimizer, *_: Any) -> None:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                parameter.grad = _like(parameter, parameter.grad)


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """A value in the layout of a parameter; itself where it has that."""
    if value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter, dtype=value.dtype, device=value.device).copy_(value)
