"""Low-rank updates: the loop by hand, merged to the last bit, refused where nothing has them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from torch import nn
from torch.func import functional_call
from torch.optim import AdamW

from sightline.config.fine_tuning_keys import FineTuningConfig
from sightline.config.legacy import BEFORE
from sightline.errors import UserError
from sightline.models.lora import add_updates, merged

ATTENTION = BEFORE["model.lora_layers"]
FUSED = [f"blocks.{n}.attn.qkv" for n in range(6)]


def vit(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network = timm.create_model("test_vit", num_classes=3, img_size=32)
    assert isinstance(network, nn.Module)
    return network


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(step)
    return torch.randn(4, 3, 32, 32, generator=draw), torch.arange(4) % 3


def lora_by_hand(
    network: nn.Module, downs: dict[str, torch.Tensor], rank: int, alpha: float
) -> Any:
    """Hu et al. 2021: W + alpha / rank · B A for each fused query, key and value, 20 steps."""
    weights = {name: p.detach().clone() for name, p in network.named_parameters()}
    factors = {name: (torch.zeros(3 * down.shape[1], rank), down) for name, down in downs.items()}
    learn = [each.requires_grad_() for pair in factors.values() for each in pair]
    learn += [weights[f"head.{part}"].requires_grad_() for part in ("weight", "bias")]
    optimizer = AdamW(learn, lr=0.01)

    def whole() -> dict[str, torch.Tensor]:
        updates = {f"{name}.weight": weights[f"{name}.weight"] + alpha / rank * b @ a
                   for name, (b, a) in factors.items()}  # fmt: skip
        return weights | updates

    for step in range(20):
        image, target = batch(step)
        optimizer.zero_grad()
        logits = functional_call(network, whole(), (image,))
        nn.functional.cross_entropy(logits, target).backward()
        optimizer.step()
    return {name: tensor.detach() for name, tensor in whole().items()}


def test_it_is_the_loop_by_hand_also_of_the_fused_query_key_and_value() -> None:
    network = vit()
    plain = copy.deepcopy(network)
    assert add_updates(network, 4, 16, ATTENTION) == FUSED[: len(network.blocks)]  # type: ignore[arg-type]
    parts = dict(network.named_parameters())
    learn = {name: p for name, p in parts.items() if p.requires_grad}
    assert {name.rpartition(".")[2] for name in learn} == {"up", "down", "weight", "bias"}
    assert {name for name in learn if name.endswith(("weight", "bias"))} == {
        "head.weight", "head.bias",
    }  # fmt: skip
    image, _ = batch(99)
    torch.testing.assert_close(network(image), plain(image), atol=0, rtol=0)  # at first
    downs = {name.partition(".param")[0]: p.detach().clone()
             for name, p in learn.items() if name.endswith("down")}  # fmt: skip
    optimizer = AdamW(learn.values(), lr=0.01)
    for step in range(20):
        image, target = batch(step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(image), target).backward()
        optimizer.step()
    wanted = lora_by_hand(plain, downs, rank=4, alpha=16)
    reached = merged(network.state_dict())
    assert wanted.keys() <= reached.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(reached[name], value, atol=1e-6, rtol=0)
    moved = reached["blocks.0.attn.qkv.weight"] - plain.state_dict()["blocks.0.attn.qkv.weight"]
    assert moved.abs().max() > 0.001
    assert torch.linalg.matrix_rank(moved, rtol=1e-4) == 4


@pytest.mark.parametrize("name", ["test_vit", "test_vit3", "swin_tiny_patch4_window7_224"])
def test_merged_weights_are_those_of_a_plain_model_to_the_last_bit(name: str) -> None:
    torch.manual_seed(0)
    options = {} if name.startswith("test") else {"depths": (1, 1, 1, 1), "embed_dim": 24}
    network = timm.create_model(name, num_classes=3, **options).eval()
    plain = copy.deepcopy(network)
    add_updates(network, 2, 8, ATTENTION)
    for parameter in network.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter)
    image = torch.randn(2, *network.pretrained_cfg["input_size"])
    plain.load_state_dict(merged(network.state_dict()))
    with torch.inference_mode():
        wanted = network(image)
        assert torch.equal(plain(image), wanted)
    assert merged(plain.state_dict()).keys() == plain.state_dict().keys()


def test_a_model_without_attention_is_refused() -> None:
    network = timm.create_model("test_resnet")
    with pytest.raises(UserError) as refused:
        add_updates(network, 4, 16, ATTENTION)
    assert "ResNet has no layer that model.lora_layers" in str(refused.value)
    assert "fc" in str(refused.value)
    assert add_updates(network, 4, 16, ["layer4.*.conv1"]) == ["layer4.0.conv1"]  # named, it may
    network(torch.randn(2, 3, 64, 64)).sum().backward()


def test_a_wrong_pattern_and_too_high_a_rank_are_refused() -> None:
    with pytest.raises(UserError, match=r"Did you mean 'blocks\.0\.attn\.qkv'"):
        add_updates(vit(), 4, 16, ["blocks.0.atn.qkv"])
    with pytest.raises(UserError, match=r"blocks\.0\.attn\.qkv has rank 64 itself"):
        add_updates(vit(), 64, 16, ATTENTION)


def test_without_its_keys_a_model_is_as_before() -> None:
    config = FineTuningConfig()
    assert config.lora_rank is config.head_std is None
    assert not config.freeze_batch_norm
    assert config.cache_features is False
