"""The learning-rate finder: it suggests, and leaves the training as it was."""

from __future__ import annotations

import pytest
import torch
from support.configs import changed_config

from sightline.errors import UserError
from sightline.reports.canvas import to_png
from sightline.reports.figures.lr_finder import draw_lr_finder
from sightline.training.logging.lr_finder import try_rates
from sightline.training.quiet import quiet_libraries
from sightline.training.setup import set_up

SMALL = ("trainer=cpu", "model.widths=[4]", "model.hidden=8", "data.batch_size=16")


@pytest.mark.parametrize(
    "words", [[], ["optimizer.param_groups=[{pattern: head.*, lr_factor: 5}]"]]
)
def test_a_finder_suggests_and_changes_nothing(words: list[str]) -> None:
    quiet_libraries()
    torch.manual_seed(0)  # of the network's weights: the search ends where the loss explodes
    setup = set_up(changed_config(*SMALL, *words))
    before = {key: value.clone() for key, value in setup.module.state_dict().items()}
    random = torch.random.get_rng_state()
    rates, losses, suggestion = try_rates(setup)
    assert len(rates) == len(losses) == 100
    assert rates[0] == pytest.approx(1e-6, rel=0.2)
    assert rates[-1] == pytest.approx(1.0, rel=0.2)
    assert suggestion is not None
    assert 1e-5 < suggestion < 1
    assert torch.equal(random, torch.random.get_rng_state())
    assert all(torch.equal(before[k], v) for k, v in setup.module.state_dict().items())
    assert all(each.grad is None for each in setup.module.parameters())
    assert setup.module._trainer is None
    assert setup.datamodule.trainer is None


def test_a_figure_shows_a_loss_that_explodes() -> None:
    figure = draw_lr_finder([1e-3, 1e-2, 1e-1], [2.0, 1.0, float("inf")], 1e-2, 3e-3)
    _, high = figure.axes[0].get_ylim()
    assert high == pytest.approx(4.0)
    assert to_png(figure)[:4] == b"\x89PNG"


def test_without_a_learning_rate_there_is_nothing_to_find() -> None:
    setup = set_up(changed_config(*SMALL))
    del setup.config.optimizer["lr"]
    with pytest.raises(UserError, match=r"no optimizer\.lr to be found"):
        try_rates(setup)
