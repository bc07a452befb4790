"""Gradient checkpointing: activations are computed anew in the backward pass, by timm's blocks."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from sightline.errors import UserError


def checkpoint_activations(network: nn.Module) -> None:
    """Let a network of timm's keep the activations between its blocks alone.

    The gradients are the same. A second forward pass would also count each batch twice in the
    running statistics of batch normalisation, which is prevented.

    Raises:
        UserError: the network has no method set_grad_checkpointing, or refuses it.
    """
    name = type(network).__name__
    enable: Any = getattr(network, "set_grad_checkpointing", None)
    if enable is None:
        raise UserError(
            f"model.grad_checkpointing=true: {name} has no method set_grad_checkpointing, as "
            "timm's models have. Leave it out, or use a smaller data.batch_size with "
            "trainer.accumulate_grad_batches."
        )
    try:
        enable(True)
    except AssertionError as error:
        raise UserError(f"model.grad_checkpointing=true: timm's {name} has no such.") from error
    for module in network.modules():
        if isinstance(module, _BatchNorm) and module.track_running_stats:
            module.register_forward_pre_hook(_hold)
            # The second pass is left by an exception as soon as all activations are there.
            module.register_forward_hook(_release, always_call=True)


def _hold(module: nn.Module, inputs: Any) -> None:
    """In the second pass, leave the running statistics as they are."""
    if torch._C._current_graph_task_id() != -1:  # within a backward pass
        state: Any = module
        counted = state.num_batches_tracked
        state.held = (state.momentum, None if counted is None else counted.clone())
        state.momentum = 0.0


def _release(module: nn.Module, inputs: Any, output: Any) -> None:
    state: Any = module
    held = state.__dict__.pop("held", None)
    if held is None:
        return
    state.momentum, counted = held
    if counted is not None:
        state.num_batches_tracked.copy_(counted)
