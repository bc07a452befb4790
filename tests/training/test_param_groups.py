"""Groups of parameters: equal to timm's own, given by patterns, refused where they do nothing."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from support.configs import changed_config
from timm.optim import create_optimizer_v2
from torch import nn

from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.runs.resume import former_defaults
from sightline.training.logging.param_groups import describe_groups, group_rows
from sightline.training.optimizers import Optimizers
from sightline.training.param_group_checks import check_patterns
from sightline.training.param_groups import base_lr, freeze, named_parameters
from sightline.training.schedulers import cosine
from sightline.training.stand_in import check_on_stand_in

MODELS = [
    "resnet18", "convnext_atto", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224",
    "tf_efficientnet_lite0", "mobilenetv3_small_050", "regnety_002", "densenet121",
    "deit_tiny_distilled_patch16_224", "eva02_tiny_patch14_224", "mixer_s32_224", "coat_tiny",
]  # fmt: skip


def in_module(network: nn.Module, **further: nn.Module) -> nn.Module:
    """A network where a training has it."""
    return nn.ModuleDict({"classifier": nn.ModuleDict({"network": network}), **further})


def on_meta(name: str, **options: Any) -> nn.Module:
    with torch.device("meta"):
        return timm.create_model(name, num_classes=10, **options)


def assignments(optimizer: torch.optim.Optimizer, lr: float) -> dict[int, tuple[float, float]]:
    return {
        id(parameter): (group.get("lr_scale", group["lr"] / lr), group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


@pytest.mark.parametrize("layer_decay", [None, 0.75])
@pytest.mark.parametrize("name", MODELS)
def test_groups_are_those_of_timm(name: str, layer_decay: float | None) -> None:
    network = on_meta(name)
    theirs = create_optimizer_v2(network, "adamw", 0.003, 0.05, layer_decay=layer_decay)
    words = [] if layer_decay is None else [f"optimizer.layer_decay={layer_decay}"]
    config = changed_config("optimizer.lr=0.003", "optimizer.weight_decay=0.05", *words)
    ours = Optimizers(config)(in_module(network))
    wanted, reached = assignments(theirs, 0.003), assignments(ours, 0.003)
    assert reached.keys() == wanted.keys()
    for key, (factor, decay) in wanted.items():
        assert reached[key] == (pytest.approx(factor, rel=1e-12), decay)


def test_without_keys_all_are_one_group_in_the_order_of_before() -> None:
    network = on_meta("resnet18")
    [group] = Optimizers(changed_config("optimizer.decay_all=true"))(
        in_module(network)
    ).param_groups
    assert [id(each) for each in group["params"]] == [id(each) for each in network.parameters()]
    before = torch.optim.AdamW(network.parameters(), lr=0.003, weight_decay=0.01).param_groups[0]
    assert group.keys() == before.keys()


def test_patterns_take_precedence_and_the_first_counts() -> None:
    network = on_meta("resnet18")
    rules = (
        "optimizer.param_groups=[{pattern: conv1*, freeze: true}, {pattern: layer4.*, "
        "lr_factor: 0.1}, {pattern: layer4.1.*, lr_factor: 3}, {pattern: fc.*, weight_decay: 0.5}]"
    )
    config = changed_config(rules, "optimizer.head_lr_factor=10", "optimizer.lr=0.01")
    module = in_module(network)
    with pytest.raises(UserError, match=r"\[2\].pattern=layer4\.1\.\* has no effect: each"):
        check_patterns(named_parameters(module), config.optimizer_common)
    freeze(module, config.optimizer_common)
    rows = {row["name"]: row for row in group_rows(config, module)}
    assert len(rows) == len(list(network.parameters()))
    assert rows["conv1.weight"]["learns"] == "false"
    assert rows["layer4.1.conv1.weight"]["lr_factor"] == "0.1"
    assert (rows["fc.weight"]["lr_factor"], rows["fc.weight"]["weight_decay"]) == ("10", "0.5")
    assert (rows["bn1.weight"]["lr_factor"], rows["bn1.weight"]["weight_decay"]) == ("1", "0")
    line = describe_groups(config, module)
    assert "weight decay 0.5 for 2 tensors" in line
    assert "0.1 to 10 (3 factors), 1 tensors frozen" in line
    optimizer = Optimizers(config)(module)
    assert {round(group["lr"], 9) for group in optimizer.param_groups} == {0.001, 0.01, 0.1}
    schedule = cosine(optimizer, 100, 10, 1.0, 0.01)
    optimizer.step()
    schedule.last_epoch = 49
    schedule.step()
    factor = schedule.lr_lambdas[0](50)
    assert base_lr(optimizer) == pytest.approx(0.01 * factor)
    assert base_lr(optimizer, "initial_lr") == pytest.approx(0.01)


def test_a_loss_that_learns_has_groups_too() -> None:
    class Centres(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.points, self.scale = nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(1))

    module = in_module(nn.Linear(2, 3), criterion=Centres())
    config = changed_config("optimizer.param_groups=[{pattern: criterion.points, lr_factor: 5}]")
    rows = {str(row["name"]): row for row in group_rows(config, module)}
    assert list(rows) == ["weight", "bias", "criterion.points", "criterion.scale"]
    assert rows["criterion.points"]["lr_factor"] == "5"
    assert [row["weight_decay"] for row in rows.values()] == ["0.01", "0", "0.01", "0"]


def check_all(*words: str) -> None:
    """What is checked first of all in a training."""
    config = changed_config(*words)
    Optimizers(config).check()
    check_on_stand_in(config)


TIMM = ["model=timm", "model.name=resnet18"]
REFUSED = {
    "no layer groups": (["optimizer.layer_decay=0.75"], "SimpleCNN has no layer groups"),
    "no known head": (["optimizer.head_lr_factor=10"], "SimpleCNN does not say which layer"),
    "nothing matches": (
        [*TIMM, "optimizer.param_groups=[{pattern: layer5.*, freeze: true}]"],
        "param_groups[0].pattern=layer5.* matches no parameter",
    ),
    "the nearest name": (
        [*TIMM, "optimizer.param_groups=[{pattern: fc.weigth, lr_factor: 2}]"],
        "Did you mean 'fc.weight'",
    ),
    "two things at once": (
        ["optimizer.param_groups=[{pattern: a, lr_factor: 2, freeze: true}]"],
        "optimizer.param_groups: expected lr_factor, weight_decay or freeze_epochs",
    ),
    "nothing said": (["optimizer.param_groups=[{pattern: a}]"], "or freeze=true and none"),
    "misspelt": (
        ["optimizer.param_groups=[{pattern: a, lr_facter: 2}]"],
        "Did you mean 'param_groups.lr_factor'",
    ),
    "out of range": (["optimizer.layer_decay=1.5"], "optimizer.layer_decay: expected less than"),
    "no rate to multiply": (
        [*TIMM, "optimizer._target_=torch.optim.Adafactor", "optimizer.lr=null",
         "optimizer.layer_decay=0.5"],
        "has no learning rate of its own",
    ),
    "no decay to set": (
        [*TIMM, "optimizer._target_=torch.optim.LBFGS", "optimizer.weight_decay=null",
         "optimizer.param_groups=[{pattern: fc.*, weight_decay: 1}]"],
        "has no weight_decay to set",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused_before_data_is_read(case: str) -> None:
    words, expected = REFUSED[case]
    with pytest.raises(UserError) as refused:
        check_all(*words)
    assert expected in str(refused.value)


def test_a_pattern_of_what_does_not_learn_is_refused() -> None:
    network = on_meta("resnet18").requires_grad_(False)
    config = changed_config(*TIMM, "optimizer.param_groups=[{pattern: layer4.*, lr_factor: 0.1}]")
    with pytest.raises(UserError, match="learns"):
        check_patterns(dict(network.named_parameters()), config.optimizer_common)


def test_a_run_of_before_goes_on_with_the_groups_it_had() -> None:
    new = changed_config()
    assert not new.optimizer_common.decay_all
    old = new.model_copy(update={"optimizer": new.optimizer | {"decay_all": True}})
    again, _ = compose_job(former_defaults(old))
    decaying = new.optimizer_common.model_copy(update={"decay_all": True})
    assert again.optimizer_common == decaying
