"""The linear layer that gives a network's logits of its penultimate features."""

import torch
from torch import Tensor, nn

CLOSE = 1e-3  # of the logits' spread: what reduced precision makes of the same product


def linear_head(network: nn.Module, features: Tensor, logits: Tensor) -> nn.Linear | None:
    """The layer whose outputs are the logits; None where no layer alone gives them.

    Args:
        network: in evaluation mode.
        features: penultimate ones, shape (N, D).
        logits: of the same images, shape (N, num_outputs).
    """
    shape = (logits.shape[1], features.shape[1])
    given, expected = features.double().cpu(), logits.double().cpu()
    spread = float(expected.std()) + 1e-12
    for module in network.modules():
        if isinstance(module, nn.Linear) and tuple(module.weight.shape) == shape:
            weight, bias = head_values(module)
            if float((given @ weight.T + bias - expected).abs().max()) <= CLOSE * spread:
                return module
    return None


def head_values(head: nn.Linear) -> tuple[Tensor, Tensor]:
    """Weights (num_outputs, D) and bias (num_outputs,), double, on the CPU."""
    weight = head.weight.detach().double().cpu()
    bias: Tensor | None = head.bias  # torch declares it as always there
    if bias is None:
        return weight, torch.zeros(len(weight), dtype=torch.float64)
    return weight, bias.detach().double().cpu()
