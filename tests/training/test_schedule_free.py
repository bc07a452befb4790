"""Schedule-free optimizers around validation and checkpoints, and Muon's second optimizer."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import timm
import torch
from pytorch_lightning.trainer.states import TrainerFn
from support.configs import changed_config
from timm.optim import create_optimizer_v2
from torch import nn

from sightline.errors import UserError
from sightline.training.optimizers import Optimizers
from sightline.training.schedule_free import (
    AverageInEvaluation,
    check_schedule_free,
    check_statistics,
    schedule_free,
)


class Line(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Linear(4, 2)


class Loop:
    """20 steps, with the hooks that Lightning calls."""

    def __init__(self, kind: str, callback: AverageInEvaluation | None) -> None:
        self.module, self.callback = Line(), callback
        self.optimizer: Any = schedule_free(self.module.parameters(), kind, 0.05, 0.01, 0)  # type: ignore[arg-type]
        state = SimpleNamespace(fn=TrainerFn.FITTING)
        self.trainer: Any = SimpleNamespace(optimizers=[self.optimizer], state=state)

    def steps(self, numbers: range) -> None:
        for number in numbers:
            draw = torch.Generator().manual_seed(number)
            loss = self.module.network(torch.randn(8, 4, generator=draw)) - 1
            self.optimizer.zero_grad()
            loss.square().mean().backward()
            self.optimizer.step()

    def save(self) -> dict[str, Any]:
        checkpoint = {
            "state_dict": self.module.state_dict(),
            "optimizer_states": [copy.deepcopy(self.optimizer.state_dict())],
        }
        assert self.callback is not None
        self.callback.on_save_checkpoint(self.trainer, self.module, checkpoint)
        return copy.deepcopy(checkpoint)


@pytest.mark.parametrize("kind", ["adamw", "sgd", "radam"])
def test_validation_and_checkpoints_hold_the_average_and_leave_no_trace(kind: str) -> None:
    plain = Loop(kind, None)  # as the package's own documentation has it
    plain.optimizer.train()
    plain.steps(range(20))

    loop = Loop(kind, AverageInEvaluation())
    hooks: Any = loop.callback
    hooks.on_train_start(loop.trainer, loop.module)
    loop.steps(range(10))
    hooks.on_validation_start(loop.trainer, loop.module)
    within = loop.save()
    hooks.on_validation_end(loop.trainer, loop.module)
    after = loop.save()
    for key in ("state_dict", "current_model_state"):
        assert all(torch.equal(v, within[key][k]) for k, v in after[key].items())
    loop.steps(range(10, 20))
    trained = dict(loop.module.named_parameters())
    assert all(torch.equal(p, trained[name]) for name, p in plain.module.named_parameters())
    saved = loop.save()
    plain.optimizer.eval()
    average = plain.module.state_dict()
    assert all(torch.equal(value, average[name]) for name, value in saved["state_dict"].items())

    again = Loop(kind, AverageInEvaluation())
    hooks = again.callback
    again.optimizer.load_state_dict(within["optimizer_states"][0])
    hooks.on_load_checkpoint(again.trainer, again.module, within)
    hooks.on_train_start(again.trainer, again.module)
    again.steps(range(10, 20))
    assert all(torch.equal(p, trained[name]) for name, p in again.module.named_parameters())


FREE = ("optimizer=schedule_free", "scheduler=constant")
REFUSED = {
    "schedule": (("optimizer=schedule_free",), "takes no schedule: give scheduler=constant"),
    "warm-up": ((*FREE, "scheduler.warmup_epochs=1"), "without a warm-up"),
    "average": ((*FREE, "ema.decay=0.9"), "ema.decay=0.9: optimizer=schedule_free averages"),
    "equal average": ((*FREE, "swa.start_epoch=2"), "swa.start_epoch=2: optimizer=schedule_free"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_schedule_or_average_beside_it_is_refused(case: str) -> None:
    words, expected = REFUSED[case]
    check_schedule_free(changed_config(*FREE))
    Optimizers(changed_config(*FREE)).check()
    config = changed_config(*words)
    with pytest.raises(UserError, match=expected):
        check_schedule_free(config)


def test_batch_normalisation_and_a_second_warm_up_are_refused() -> None:
    module = Line()
    check_statistics(module)
    module.network = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2))  # type: ignore[assignment]
    with pytest.raises(UserError, match="statistics of batch normalisation"):
        check_statistics(module)
    config = changed_config(*FREE, "optimizer.kind=radam", "optimizer.warmup_steps=5")
    with pytest.raises(UserError, match="radam warms up by itself"):
        Optimizers(config).check()


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_muon_leaves_head_and_embeddings_to_adamw_as_timm_does(name: str) -> None:
    network = timm.create_model(name, num_classes=3)
    head = [each.rpartition(".")[0] for each, _ in network.named_parameters()][-1]
    theirs = create_optimizer_v2(
        network, "muon", 0.001, 0.05, fallback_list=(f"{head}.*",), fallback_no_weight_decay=True
    )
    module = nn.ModuleDict({"classifier": nn.ModuleDict({"network": network})})
    ours = Optimizers(changed_config("optimizer=muon"))(module)

    def facts(optimizer: torch.optim.Optimizer) -> dict[int, tuple[bool, float]]:
        return {
            id(parameter): (bool(group.get("use_fallback")), group["weight_decay"])
            for group in optimizer.param_groups
            for parameter in group["params"]
        }

    assert facts(ours) == facts(theirs)
    assert {fallback for fallback, _ in facts(ours).values()} == {True, False}
    convolution = next(p for p in network.parameters() if p.ndim == 4)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    ours.step()
    assert ours.state[convolution]["use_muon"]
