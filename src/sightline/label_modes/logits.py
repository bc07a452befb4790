"""Logits of stored probabilities, and probabilities of rescaled logits."""

import torch
from torch import Tensor


def log_of(probs: Tensor) -> Tensor:
    """Logarithms of probabilities, double: logits, up to a constant that softmax takes away."""
    return probs.double().clamp(min=torch.finfo(torch.float32).tiny).log()  # float32 rounds to 0


def rescale_logits(probs: Tensor, temperature: float, biases: Tensor | None = None) -> Tensor:
    """Softmax probabilities (..., C), double, of the logits over `temperature`, plus `biases`."""
    if biases is None:
        if temperature == 1:
            return probs.double()
        return (log_of(probs) / temperature).softmax(dim=-1)
    return (log_of(probs) / temperature + biases).softmax(dim=-1)
