"""Optimizers by name: all of timm's and torch's that run on a CPU, also resumed; clipping."""

from __future__ import annotations

import io
import warnings
from typing import Any

import pytest
import torch
from support.configs import changed_config
from timm.optim import list_optimizers
from timm.utils.agc import adaptive_clip_grad
from torch import nn

from sightline.errors import UserError
from sightline.training.clipping import AdaptiveClipping
from sightline.training.named_optimizers import named_optimizer
from sightline.training.optimizers import Optimizers

OF_A_GPU = ("bnb*", "fused*")  # packages of their own, which need one
SLOW = ("kron*",)  # compiles its steps
NAMES = [
    *list_optimizers(exclude_filters=[*OF_A_GPU, *SLOW, "adahessian"]),
    "lookahead_adamw", "AdamW", "Adagrad", "ASGD", "Rprop", "Muon",
]  # fmt: skip


def groups(weights: list[nn.Parameter]) -> list[dict[str, Any]]:
    return [{"params": weights[:1]}, {"params": weights[1:], "lr": 0.001}]


def steps(optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], numbers: range) -> None:
    for number in numbers:
        optimizer.zero_grad()
        draw = torch.Generator().manual_seed(number)
        for weight in weights:
            weight.grad = torch.randn(weight.shape, generator=draw)
        optimizer.step()


def weights_of() -> list[nn.Parameter]:
    draw = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=draw)) for shape in ((4, 3), (3, 4))]


@pytest.mark.parametrize("name", NAMES)
def test_an_optimizer_steps_and_resumes(name: str) -> None:
    decay = 0.0 if name == "Rprop" else 0.01
    whole = weights_of()
    steps(named_optimizer(groups(whole), name, 0.01, decay), whole, range(8))
    weights = weights_of()
    optimizer = named_optimizer(groups(weights), name, 0.01, decay)
    steps(optimizer, weights, range(5))
    saved = io.BytesIO()
    torch.save(optimizer.state_dict(), saved)
    saved.seek(0)
    again = [nn.Parameter(weight.detach().clone()) for weight in weights]
    resumed = named_optimizer(groups(again), name, 0.01, decay)
    resumed.load_state_dict(torch.load(saved, weights_only=True))  # as a checkpoint is read
    steps(resumed, again, range(5, 8))
    for one, other, first in zip(again, whole, weights_of(), strict=True):
        assert torch.equal(one, other)
        assert not torch.equal(one, first)


REFUSED = {
    "misspelt": (["optimizer.name=nadamoun"], "Did you mean 'nadamuon'"),
    "no such": (["optimizer.name=xyz"], "neither timm nor torch.optim has it"),
    "second order": (["optimizer.name=adahessian"], "needs second derivatives"),
    "sparse": (["optimizer.name=SparseAdam"], "sparse gradients"),
    "option of none": (["optimizer.name=lion", "optimizer.eps=1"], "takes no such argument"),
    "no such option": (["optimizer.name=lion", "optimizer.betta=1"], "refused: "),
    "no decay": (["optimizer.name=Rprop"], "weight_decay"),
    "several groups": (
        ["optimizer.name=LBFGS", "optimizer.weight_decay=1"], "weight_decay"
    ),
    "negative rate": (["optimizer.lr=-1"], "optimizer.lr: expected greater than 0"),
    "without a gpu": (["optimizer.name=fusedadam"], "CUDA required"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_an_optimizer_that_cannot_be_is_refused_before_data_is_read(case: str) -> None:
    words, expected = REFUSED[case]
    config = changed_config("optimizer=timm", *words)
    if case == "without a gpu" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UserError) as refused, warnings.catch_warnings():
        Optimizers(config).check()
    assert expected in str(refused.value)


def test_adaptive_clipping_is_timms_but_for_the_head() -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    module = nn.ModuleDict({"classifier": nn.ModuleDict({"network": network})})
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 5.0)
    theirs = [parameter.detach().clone() for parameter in network.parameters()]
    for parameter in theirs:
        parameter.grad = torch.full_like(parameter, 5.0)
    adaptive_clip_grad(theirs[:2], 0.02)
    hook: Any = AdaptiveClipping(0.02).on_before_optimizer_step
    hook(None, module, None)
    for ours, wanted in zip(network.parameters(), theirs, strict=True):
        assert torch.equal(ours.grad, wanted.grad)  # type: ignore[arg-type]
    assert network[0].weight.grad.max() < 1  # type: ignore[union-attr, operator]
    assert network[1].weight.grad.max() == 5  # type: ignore[union-attr, operator]
