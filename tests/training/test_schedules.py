"""Schedules: equal to timm's and torch's own at each of 500 steps, also resumed at any of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from support.configs import changed_config
from timm.scheduler import (
    CosineLRScheduler,
    MultiStepLRScheduler,
    PolyLRScheduler,
    StepLRScheduler,
    WSDLRScheduler,
)
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import MultiStepLR, OneCycleLR, ReduceLROnPlateau, StepLR

from sightline.errors import UserError
from sightline.training.optimizers import Optimizers
from sightline.training.schedulers.plateau import PlateauLR
from sightline.training.schedules import Schedulers

STEPS, PER_EPOCH = 500, 10
LRS = [0.2, 0.002]  # of two groups
Rates = list[list[float]]


@pytest.fixture(autouse=True)
def order_of_calls() -> Iterator[None]:
    """A resumed schedule goes on although its new optimizer has not taken a step."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected call of")
        yield


def optimizer(lrs: list[float] = LRS) -> Optimizer:
    return SGD([{"params": [torch.zeros(1)], "lr": lr} for lr in lrs], momentum=0.9)


def schedulers(*words: str) -> Schedulers:
    return Schedulers(changed_config("trainer.max_epochs=50", *words))


def taken(scheduler: Any, one: Optimizer, steps: int) -> Rates:
    """The rates of each group at the steps to come."""
    found = []
    for _ in range(steps):
        found.append([float(group["lr"]) for group in one.param_groups])
        one.step()
        scheduler.step()
    return found


def of_timm(make: Callable[[Optimizer], Any], interval: str) -> Rates:
    """timm's, of a learning rate of 1, times each group's own; so are its floor and start."""
    one = optimizer([1.0])
    scheduler, found = make(one), []
    for step in range(STEPS):
        if interval == "step":
            scheduler.step_update(step)
        elif step % PER_EPOCH == 0:
            scheduler.step(step // PER_EPOCH)
        found.append([one.param_groups[0]["lr"] * lr for lr in LRS])
    return found


def of_torch(make: Callable[[Optimizer], Any]) -> Rates:
    one = optimizer()
    return taken(make(one), one, STEPS)


def warm(t: float, prefix: bool | None = True) -> dict[str, Any]:
    more = {} if prefix is None else {"warmup_prefix": prefix}
    return {"warmup_t": t, "warmup_lr_init": 0.01} | more


S, E = {"t_in_epochs": False}, {"t_in_epochs": True}
CASES: dict[str, tuple[list[str], Callable[[], Rates]]] = {
    "cosine by epoch": (
        ["scheduler=cosine_restarts", "scheduler.interval=epoch", "scheduler.warmup_epochs=5",
         "scheduler.cooldown_epochs=5"],
        lambda: of_timm(lambda o: CosineLRScheduler(o, 40, 0.01, **warm(5), **E), "epoch"),
    ),
    "cosine with restarts": (
        ["scheduler=cosine_restarts", "scheduler.warmup_epochs=5", "scheduler.cycles=4",
         "scheduler.cycle_mul=2", "scheduler.cycle_decay=0.5"],
        lambda: of_timm(
            lambda o: CosineLRScheduler(o, 30, 0.01, 2.0, 0.5, 4, **warm(50), **S), "step"
        ),
    ),
    "linear": (
        ["scheduler=linear", "scheduler.warmup_epochs=2", "scheduler.cooldown_epochs=8"],
        lambda: of_timm(lambda o: PolyLRScheduler(o, 400, 1.0, 0.0, **warm(20), **S), "step"),
    ),
    "step by epoch": (
        ["scheduler=step", "scheduler.interval=epoch", "scheduler.warmup_epochs=3",
         "scheduler.decay_epochs=8"],
        lambda: of_timm(lambda o: StepLRScheduler(o, 8, 0.1, **warm(3, False), **E), "epoch"),
    ),
    "step, torch's": (
        ["scheduler=step", "scheduler.decay_epochs=2.5", "scheduler.decay_rate=0.7"],
        lambda: of_torch(lambda o: StepLR(o, 25, 0.7)),
    ),
    "multistep, torch's": (
        ["scheduler=multistep", "scheduler.milestones=[10,20.5,40]"],
        lambda: of_torch(lambda o: MultiStepLR(o, [100, 205, 400], 0.1)),
    ),
    "multistep, timm's milestones one later": (
        ["scheduler=multistep", "scheduler.milestones=[10,40]", "scheduler.warmup_epochs=2"],
        lambda: of_timm(
            lambda o: MultiStepLRScheduler(o, [101, 401], 0.1, **warm(20, False), **S), "step"
        ),
    ),
    "wsd": (
        ["scheduler=wsd", "scheduler.warmup_epochs=5", "scheduler.decay_fraction=0.4"],
        lambda: of_timm(lambda o: WSDLRScheduler(o, 450, 180, **warm(50, None), **S), "step"),
    ),
    "wsd by epoch": (
        ["scheduler=wsd", "scheduler.interval=epoch", "scheduler.decay=cosine",
         "scheduler.final_lr_factor=0.1", "scheduler.warmup_epochs=0"],
        lambda: of_timm(lambda o: WSDLRScheduler(o, 50, 10, 0.1, decay_fn="cosine", **E), "epoch"),
    ),
    "one cycle": (
        ["scheduler=one_cycle", "scheduler.three_phase=true"],
        lambda: of_torch(lambda o: OneCycleLR(o, LRS, STEPS, three_phase=True)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_schedule_is_the_librarys_own_also_resumed(case: str) -> None:
    words, reference = CASES[case]
    make, wanted = schedulers(*words), reference()
    one = optimizer()
    scheduler = make(one, STEPS, PER_EPOCH)
    for step in range(STEPS):
        reached = [group["lr"] for group in one.param_groups]
        assert reached == pytest.approx(wanted[step], rel=1e-9, abs=1e-15), step
        one.step()
        scheduler.step()
        if step % 13 == 3:  # resumed after it, as a checkpoint restores the two
            saved = (one.state_dict(), scheduler.state_dict())
            one = optimizer()
            scheduler = make(one, STEPS, PER_EPOCH)
            one.load_state_dict(saved[0])
            scheduler.load_state_dict(saved[1])
            assert [group["lr"] for group in one.param_groups] == [
                group["lr"] for group in saved[0]["param_groups"]
            ]
    steps, found = make.rates(LRS, STEPS, PER_EPOCH, points=60)  # of the figure
    assert (steps[0], steps[-1]) == (0, STEPS - 1)
    for at, rates in zip(steps, found, strict=True):
        assert rates == pytest.approx(wanted[at], rel=1e-9, abs=1e-15)


def test_plateau_is_torchs_at_each_validation_also_resumed() -> None:
    words = ["scheduler=plateau", "scheduler.patience_epochs=2", "scheduler.factor=0.3",
             "scheduler.cooldown_epochs=1", "monitor=val/accuracy"]  # fmt: skip
    make, reference = schedulers(*words), optimizer()
    rule = ReduceLROnPlateau(reference, "max", 0.3, 2, cooldown=1)
    one = optimizer()
    scheduler = make(one, STEPS, PER_EPOCH)
    values = torch.rand(STEPS // PER_EPOCH, generator=torch.Generator().manual_seed(0)).tolist()
    seen = set()
    for step in range(STEPS):
        assert isinstance(scheduler, PlateauLR)
        reached = [group["lr"] for group in one.param_groups]
        assert reached == pytest.approx([group["lr"] for group in reference.param_groups])
        seen.add(reached[0])
        one.step()
        scheduler.step()
        if (step + 1) % PER_EPOCH == 0:
            value = values[step // PER_EPOCH]
            scheduler.observe({"accuracy": value, "loss": 0.0})
            rule.step(value)
        if step % 13 == 3:
            saved = (one.state_dict(), scheduler.state_dict())
            one = optimizer()
            scheduler = make(one, STEPS, PER_EPOCH)
            one.load_state_dict(saved[0])
            scheduler.load_state_dict(saved[1])
    assert len(seen) > 3


def test_plateau_warms_up_and_has_a_floor() -> None:
    make = schedulers("scheduler=plateau", "scheduler.warmup_epochs=2", "scheduler.factor=0.5",
                      "scheduler.final_lr_factor=0.2", "scheduler.patience_epochs=0")  # fmt: skip
    one = optimizer()
    scheduler = make(one, STEPS, PER_EPOCH)
    assert isinstance(scheduler, PlateauLR)
    rates = [each[0] for each in taken(scheduler, one, 21)]
    assert rates[0] == pytest.approx(0.002)
    assert rates[10] == pytest.approx(0.2 * (0.01 + 0.99 / 2))
    assert rates[20] == pytest.approx(0.2)
    for _ in range(6):
        scheduler.observe({"loss": 1.0})
    assert one.param_groups[0]["lr"] == pytest.approx(0.04)


REFUSED = {
    "unordered": (["scheduler=multistep", "scheduler.milestones=[9, 3]"], "in ascending order"),
    "beyond the end": (["scheduler=multistep", "scheduler.milestones=[50]"], "never reaches 50"),
    "no momentum to cycle": (
        ["scheduler=one_cycle", "optimizer._target_=torch.optim.Adagrad"], "cycle_momentum"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_schedule_that_cannot_work_is_refused_before_data_is_read(case: str) -> None:
    words, expected = REFUSED[case]
    made = schedulers(*words)
    with pytest.raises(UserError, match=expected):
        made.check(Optimizers(made.config).check())
