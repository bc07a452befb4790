"""Precision, memory format, compilation and checkpointing: what is chosen, and equal results."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import timm
import torch
from support.configs import changed_config
from torch import nn

from sightline.config.decided import FORMAT, FUSED, PRECISION
from sightline.config.influence import group_digest, influences
from sightline.config.legacy import as_of_now
from sightline.config.open_batch import as_decided
from sightline.errors import UserError
from sightline.training import speed as speeds
from sightline.training.grad_checkpointing import checkpoint_activations
from sightline.training.optimizers import Optimizers
from sightline.training.speed import Speed, choose_speed, speed_of
from sightline.training.stand_in import check_on_stand_in

TIMM = ("model=timm", "model.name=test_resnet", "model.img_size=32")


def on_gpu(monkeypatch: pytest.MonkeyPatch, bf16: bool, capability: int) -> None:
    """A machine with a GPU, as far as it is asked what it can."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (capability, 0))


ON_CPU = Speed("32-true", channels_last=True, fused=True)


def with_processor(monkeypatch: pytest.MonkeyPatch, **units: bool) -> None:
    """A processor, as far as it is asked what it can."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)


def test_a_cpu_takes_bfloat16_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with_processor(monkeypatch, avx512_bf16=True)
    chosen = choose_speed(changed_config("trainer=cpu"))
    assert chosen == ON_CPU
    assert chosen.describe() == "precision 32-true, channels_last, fused optimizer"
    auto = changed_config("trainer=cpu", "trainer.precision=auto")
    assert choose_speed(auto) == replace(ON_CPU, precision="bf16-mixed")
    sharded = changed_config(
        "trainer=fsdp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.precision=auto"
    )
    assert choose_speed(sharded) == replace(ON_CPU, channels_last=False)
    with_processor(monkeypatch, avx2=True, avx512_bf16=False)
    assert choose_speed(auto) == ON_CPU


def test_the_network_decides_with_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    with_processor(monkeypatch, amx_bf16=True)
    config = changed_config("trainer=cpu", "trainer.precision=auto")
    auto = choose_speed(config)
    assert speed_of(auto, config, nn.Conv2d(4, 8, 3, groups=2), {}) == auto
    depthwise = nn.Conv2d(4, 8, 3, groups=4)
    assert speed_of(auto, config, depthwise, {}) == ON_CPU
    assert speed_of(auto, config, depthwise, {PRECISION: "bf16-mixed"}) == auto  # it is resumed
    given = changed_config("trainer=cpu", "trainer.precision=bf16-mixed")
    assert speed_of(auto, given, depthwise, {}) == auto
    assert speed_of(auto, config, nn.Linear(2, 2), {}) == replace(auto, channels_last=False)


@pytest.mark.parametrize(
    ("bf16", "capability", "precision", "tf32"),
    [(True, 9, "bf16-mixed", True), (False, 7, "32-true", None)],
)
def test_a_gpu_takes_what_it_has(
    bf16: bool, capability: int, precision: str, tf32: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_gpu(monkeypatch, bf16, capability)
    chosen = choose_speed(changed_config())
    assert chosen == Speed(precision, tf32, channels_last=True, fused=True)
    assert choose_speed(changed_config("trainer=cpu")) == ON_CPU
    given = choose_speed(changed_config(
        "trainer.precision=16-mixed", "trainer.tf32=false", "model.channels_last=false"
    ))  # fmt: skip
    assert given == Speed("16-mixed", False)  # its scaler and a fused step do not go together


def test_a_resumed_run_computes_as_it_began() -> None:
    config = changed_config("trainer=cpu", "trainer.precision=auto")
    began = Speed("32-true", channels_last=True, fused=False)
    assert choose_speed(config, began.facts()) == began
    assert began.facts() == {PRECISION: "32-true", FORMAT: "true", FUSED: "false"}
    assert choose_speed(config, {PRECISION: "32-true"}) == Speed("32-true")  # of an older version


def test_a_repetition_takes_the_precision_of_its_run() -> None:
    for words in ([], ["trainer.precision=auto"]):
        open_one = changed_config("trainer=cpu", *words)
        assert as_decided(open_one, {PRECISION: "32-true"}).trainer["precision"] == "32-true"
    given = changed_config("trainer.precision=64-true")
    assert as_decided(given, {PRECISION: "64-true"}).trainer["precision"] == "64-true"
    assert as_decided(open_one, {}).trainer["precision"] == "auto"


def test_a_resumed_run_keeps_its_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpu(monkeypatch, True, 9)
    assert choose_speed(changed_config(), {PRECISION: "32-true"}).precision == "32-true"
    given = changed_config("trainer.precision=64-true")
    assert choose_speed(given, {PRECISION: "64-true"}).precision == "64-true"


@pytest.mark.parametrize(
    ("words", "fused"),
    [
        ([], True), (["optimizer=sgd"], True), (["optimizer=timm", "optimizer.name=AdamW"], True),
        (["optimizer=timm", "optimizer.name=lion"], False), (["optimizer.foreach=true"], False),
        (["optimizer=timm", "optimizer.name=Muon"], False), (["trainer.precision=16-mixed"], False),
    ],
)  # fmt: skip
def test_optimizers_of_torch_step_in_one_kernel(words: list[str], fused: bool) -> None:
    assert Optimizers(changed_config(*words)).can_fuse() is fused


REFUSED = {
    "fp16": (["trainer.precision=16-mixed"], "a CPU does not train in 16-bit"),
    "fp16 weights": (["trainer.precision=16-true"], "Use bf16-mixed, 32-true, or auto"),
    "tf32": (["trainer.tf32=true"], "this device has no tensor cores"),
    "both": (["model.compile=true", "model.grad_checkpointing=true"], "Give one of the two"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_cpu_cannot_is_refused(case: str) -> None:
    words, expected = REFUSED[case]
    with pytest.raises(UserError, match=expected):
        choose_speed(changed_config("trainer=cpu", *words))


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(function: Any) -> Any:
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(UserError, match=r"No working C\+\+ compiler found.*model.compile=false"):
        choose_speed(changed_config("trainer=cpu", "model.compile=true"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["model.grad_checkpointing=true"], "SimpleCNN has no method set_grad_checkpointing"),
        (["model=timm", "model.name=test_vit", "model.img_size=64", "model.channels_last=true"],
         None),
        ([*TIMM, "model.grad_checkpointing=true"], None),
    ],
)  # fmt: skip
def test_a_model_that_cannot_is_refused_before_data_is_read(
    words: list[str], expected: str | None
) -> None:
    config = changed_config(*words)
    if expected is None:
        check_on_stand_in(config)
        return
    with pytest.raises(UserError, match=expected):
        check_on_stand_in(config)
    config = changed_config("model.channels_last=true")
    with pytest.raises(UserError, match="Linear has no convolutions"):
        speed_of(choose_speed(config), config, nn.Linear(2, 2), {})


def network() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=3, drop_rate=0.2, drop_path_rate=0.2)


def trained(model: nn.Module, steps: int = 3) -> dict[str, torch.Tensor]:
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    draw = torch.Generator().manual_seed(1)
    torch.manual_seed(2)
    for _ in range(steps):
        optimizer.zero_grad()
        logits = model(torch.randn(4, 3, 32, 32, generator=draw))
        nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
    return model.state_dict()


def test_checkpointed_activations_give_the_same_weights_and_statistics() -> None:
    plain, ours = network(), network()
    checkpoint_activations(ours)
    passes = []
    block: Any = ours.get_submodule("layer1.0.bn1")
    block.register_forward_hook(lambda *_: passes.append(1), always_call=True)
    ours = copy.deepcopy(ours)  # as for an average of the weights
    wanted, found = trained(plain), trained(ours)
    assert len(passes) == 6  # two passes a step
    for name, value in wanted.items():
        assert torch.equal(value, found[name]), name
    assert wanted["layer1.0.bn1.num_batches_tracked"] == 3


def test_channels_last_keeps_keys_and_weights() -> None:
    plain, formatted = network(), network()
    Speed("32-true", channels_last=True).apply(formatted)
    weight = formatted.get_parameter("layer1.0.conv1.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)
    wanted, found = trained(plain), trained(formatted)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)


def test_a_network_is_compiled_in_place_with_a_graph_for_each_size() -> None:
    class Noted(nn.Linear):
        def compile(self, **options: Any) -> None:
            self.options = options  # torch's takes seconds to import its compiler

    compiled = Noted(4, 3)
    Speed("32-true", compile=True).apply(compiled)
    assert compiled.options == {"dynamic": False}


def test_the_group_of_runs_is_by_what_was_used() -> None:
    def digest(config: dict[str, Any], used: str | None) -> str:
        return group_digest(influences(config, {} if used is None else {PRECISION: used}))

    now = changed_config().model_dump(mode="json")
    former = copy.deepcopy(now)
    former["trainer"] |= {"precision": "32-true"}
    del former["trainer"]["tf32"]
    assert digest(now, "32-true") == digest(former, None) == digest(former, "32-true")
    assert digest(now, "bf16-mixed") != digest(former, None)
    assert as_of_now(former)["trainer"]["tf32"] is None


def test_decay_of_all_parameters_needs_a_decay() -> None:
    Optimizers(changed_config("optimizer.decay_all=true")).check_decay()
    rprop = ["optimizer=timm", "optimizer.name=Rprop", "optimizer.weight_decay=0"]
    for words in (["optimizer=adam"], ["optimizer.weight_decay=0"], rprop):
        with pytest.raises(UserError, match=r"optimizer.decay_all=true has no effect"):
            Optimizers(changed_config(*words, "optimizer.decay_all=true")).check_decay()


def test_foreach_and_fused_together_are_refused() -> None:
    for words, expected in (
        (["optimizer.foreach=true", "optimizer.fused=true"], "cannot be `True` together"),
        (["optimizer.fused=true", "trainer.precision=16-mixed", "optimizer.agc=0.1"],
         "cannot be clipped before"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=expected):
            Optimizers(changed_config(*words)).check()


def test_tf32_is_set_for_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(speeds.torch, "set_float32_matmul_precision", seen.append)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    for tf32 in (None, True, False):
        Speed("32-true", tf32=tf32).set_tf32()
    assert seen == ["high", "highest"]
    assert torch.backends.cudnn.allow_tf32 is False
