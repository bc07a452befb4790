"""A linear layer trained by SGD at several learning rates at once (DINO's protocol).

As in Caron et al. (2021) and Oquab et al. (2023): momentum 0.9, no weight decay, the rate falls to
0 along a cosine, the best rate is chosen on val. Features are standardised, as by a batch
normalisation without weights, so that one list of rates fits all backbones; the heads of all rates
see the same batches and share each product of matrices.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sightline.label_modes.base import LabelMode
from sightline.probing.fitted import (
    FittedProbe,
    Labelled,
    Setting,
    Standardisation,
    edges,
)
from sightline.probing.judge import Judge

RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
EPOCHS = 20
BATCH_SIZE = 256
MOMENTUM = 0.9
START = 0.01  # deviation of the first weights


def fit_linear(
    train: Labelled, val: Labelled, judge: Judge, fixed: Setting | None, seed: int
) -> FittedProbe:
    """Choose the learning rate on val; see `Probe`."""
    scaling = Standardisation.of(train.features)
    rates = RATES if fixed is None else (fixed["lr"],)
    scaled = Labelled(scaling.apply(train.features), train.targets)
    weights, biases = train_heads(judge.mode, scaled, rates, seed)
    heads = [scaling.on_raw(*each) for each in zip(weights, biases, strict=True)]
    finite = np.isfinite(weights).all(axis=(1, 2))  # of a rate that is too high they are not
    scores = [
        judge.score(head.probs(judge.mode, val.features)) if fine else (-np.inf, -np.inf)
        for head, fine in zip(heads, finite, strict=True)
    ]
    best = max(range(len(rates)), key=lambda index: scores[index])
    chosen = {"lr": rates[best]}
    tried = [{"lr": lr, **judge.row(s)} for lr, s in zip(rates, scores, strict=True)]
    return FittedProbe(
        lambda features: heads[best].probs(judge.mode, features), chosen,
        edges(chosen, {"lr": rates}), tried, heads[best],
    )  # fmt: skip


def train_heads(
    mode: LabelMode, train: Labelled, rates: tuple[float, ...], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (R, num_outputs, D) and biases (R, num_outputs) for R learning rates.

    Args:
        mode: of the targets.
        train: standardised.
        rates: of learning.
        seed: of the first weights and of the order of the samples.
    """
    draw = torch.Generator().manual_seed(seed)
    features, targets = torch.from_numpy(train.features), torch.from_numpy(train.targets)
    outputs, wide, count = mode.num_outputs, features.shape[1], len(rates)
    first = torch.randn(outputs, wide, generator=draw) * START
    weights = first.repeat(count, 1).requires_grad_()  # (R * num_outputs, D)
    biases = torch.zeros(count * outputs, requires_grad=True)
    own_rates = torch.tensor(rates).repeat_interleave(outputs)
    parts = [(weights, own_rates[:, None]), (biases, own_rates)]
    momenta = [torch.zeros_like(values) for values, _ in parts]
    criterion = mode.criterion(None, 0.0)
    steps = EPOCHS * -(-len(train) // BATCH_SIZE)
    for step, rows in enumerate(_batches(len(train), draw)):
        with torch.enable_grad():
            logits = torch.addmm(biases, features[rows], weights.T).view(-1, outputs)
            repeated = targets[rows].repeat_interleave(count, 0)
            # The mean over all heads, times their number: each has the gradient of its own loss.
            loss = criterion(*mode.loss_inputs(logits, repeated)) * count
            gradients = torch.autograd.grad(loss, [weights, biases])
        factor = (1 + math.cos(math.pi * step / steps)) / 2
        with torch.no_grad():
            for (values, rate), momentum, gradient in zip(parts, momenta, gradients, strict=True):
                momentum.mul_(MOMENTUM).add_(gradient)
                values.addcmul_(momentum, rate, value=-factor)
    shape = (count, outputs)
    found = weights.detach().double().view(*shape, wide), biases.detach().double().view(shape)
    return found[0].numpy(), found[1].numpy()


def _batches(samples: int, draw: torch.Generator) -> Iterator[Tensor]:
    """Rows of each step, in a new order each epoch."""
    for _ in range(EPOCHS):
        yield from torch.randperm(samples, generator=draw).split(BATCH_SIZE)
