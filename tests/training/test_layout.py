"""Layouts: fused steps where gradients, states and parameters are laid out otherwise."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sightline.training.layout import keep_layout

KINDS = (torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD, torch.optim.Adagrad)
FORMATS = (torch.contiguous_format, torch.channels_last)


def steps(kind: type[torch.optim.Optimizer], fused: bool, of: torch.memory_format) -> torch.Tensor:
    """A weight after two steps, whose gradient and loaded state have the other layout."""
    drawn = torch.Generator().manual_seed(0)
    value, slope = (torch.randn(8, 4, 3, 3, generator=drawn) for _ in range(2))
    weight = nn.Parameter(value.contiguous(memory_format=of))
    [other] = [each for each in FORMATS if each != of]
    options = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    made = [kind([weight], lr=0.1, fused=fused, **options) for _ in range(2)]  # type: ignore[call-arg]
    for number, optimizer in enumerate(made):
        keep_layout(optimizer)
        if number:
            state = made[0].state_dict()
            for name, held in state["state"][0].items():
                if held.ndim == 4:
                    state["state"][0][name] = held.contiguous(memory_format=other)
            optimizer.load_state_dict(state)
        weight.grad = (slope + number).contiguous(memory_format=other)
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("of", FORMATS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fused_step_meets_the_values_of_each_place(
    kind: type[torch.optim.Optimizer], of: torch.memory_format
) -> None:
    wanted = steps(kind, False, torch.contiguous_format)
    torch.testing.assert_close(steps(kind, True, of), wanted, rtol=1e-6, atol=1e-6)
