"""Averages of the weights beside loops by hand and timm's; what is refused."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn
from support.configs import changed_config
from timm.utils import ModelEmaV3
from torch import nn

from sightline.config.effects import check_effects
from sightline.errors import UserError
from sightline.models.classifier import Classifier
from sightline.training.averaging import AveragedWeights
from sightline.training.finished_average import recompute_statistics
from sightline.training.stochastic_average import KEY, StochasticAverage
from sightline.types import PreprocessSpec


class Small(pl.LightningModule):
    """A network with batch normalisation, and 20 steps of training."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))


def step(module: nn.Module, number: int) -> None:
    draw = torch.Generator().manual_seed(number)
    network: Any = module.network
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    network.train()(torch.randn(8, 4, generator=draw)).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def trainer(step: int, epoch: int = 0) -> Any:
    return SimpleNamespace(
        global_step=step, current_epoch=epoch, state=SimpleNamespace(fn=TrainerFn.FITTING)
    )


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], atol=1e-6, rtol=0)


@pytest.mark.parametrize("warmup", [False, True])
def test_a_moving_average_is_timms_and_the_loop_by_hand(warmup: bool) -> None:
    module = Small()
    ours = AveragedWeights(0.9, warmup)
    ours.setup(None, module, "fit")  # type: ignore[arg-type]
    theirs = ModelEmaV3(module, decay=0.9, use_warmup=warmup, foreach=False)
    by_hand = copy.deepcopy(module.network.state_dict())
    for number in range(1, 21):
        step(module, number)
        ours.on_train_batch_end(trainer(number), module, None, None, 0)
        theirs.update(module, step=number)
        decay = 0.0 if number == 1 else min(0.9, 1 - number ** (-2 / 3)) if warmup else 0.9
        for name, value in module.network.state_dict().items():
            if value.is_floating_point():
                by_hand[name] = decay * by_hand[name] + (1 - decay) * value
    average: Any = ours._average_model
    found = {k: v for k, v in average.module.network.state_dict().items() if v.ndim}
    assert_equal(found, by_hand)
    if warmup:
        assert_equal(found, theirs.module.network.state_dict())
    assert not torch.allclose(found["0.weight"], module.network.state_dict()["0.weight"])


def test_an_equal_average_of_epochs_is_the_mean_by_hand_also_resumed() -> None:
    module, kept = Small(), []
    ours = StochasticAverage(3)
    ours.setup(None, module, "fit")  # type: ignore[arg-type]
    for epoch in range(5):
        for number in range(4):
            step(module, 4 * epoch + number)
        ours.on_train_epoch_end(trainer(0, epoch), module)
        checkpoint: dict[str, Any] = {"state_dict": module.state_dict()}
        ours.on_save_checkpoint(trainer(0), module, checkpoint)
        assert (KEY in checkpoint) == (epoch >= 2)
        if epoch >= 2:
            kept.append(copy.deepcopy(module.state_dict()))
        if epoch == 3:  # another process resumes here
            state = ours.state_dict()
            ours = StochasticAverage(3)
            ours.setup(None, module, "fit")  # type: ignore[arg-type]
            ours.load_state_dict(state)
            ours.on_load_checkpoint(trainer(0), module, copy.deepcopy(checkpoint))
    average: Any = ours._average_model
    weights = [name for name, _ in module.named_parameters()]
    mean = {name: sum(each[name] for each in kept) / 3 for name in weights}
    assert_equal(mean, dict(average.module.named_parameters()))


def test_statistics_are_means_over_the_images_but_for_frozen_layers() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Conv2d(3, 2, 2),
                            nn.BatchNorm2d(2))  # fmt: skip
    network[3].register_forward_pre_hook(lambda layer, _: layer.eval() and None)
    classifier = Classifier(network, PreprocessSpec(6, 1, (0.5,), (0.25,))).eval()
    frozen = copy.deepcopy(network[3].state_dict())
    images = [torch.randint(0, 256, (size, 1, 6, 6)) for size in (8, 8, 3)]
    recompute_statistics(classifier, iter(images))
    maps = [network[0](classifier.normalise(each)) for each in images]
    mean = torch.stack([each.mean((0, 2, 3)) for each in maps]).mean(0)
    var = torch.stack([each.var((0, 2, 3)) for each in maps]).mean(0)
    statistics: Any = network[1]
    torch.testing.assert_close(statistics.running_mean, mean)
    torch.testing.assert_close(statistics.running_var, var)
    assert all(torch.equal(v, frozen[k]) for k, v in network[3].state_dict().items())
    assert statistics.momentum == 0.1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("swa={start_epoch: 25}",), "swa.start_epoch=25 has no effect: the training ends after"),
        (("swa={start_epoch: 5}", "ema.decay=0.9"), "ema.decay averages the weights; give one"),
        (("ema.warmup=true",), "ema.warmup=True has no effect: ema.decay=null averages nothing"),
    ],
)
def test_an_average_without_effect_is_refused(words: tuple[str, ...], expected: str) -> None:
    def checks() -> None:
        split = [
            word.replace("swa={start_epoch: ", "swa.start_epoch=").strip("}") for word in words
        ]
        check_effects(changed_config(*split), split, in_sweep=False)

    with pytest.raises(UserError) as refused:
        checks()
    assert expected in str(refused.value)
