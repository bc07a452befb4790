"""The head of a model: whatever `reset_classifier` replaces, also where there are two."""

from __future__ import annotations

import pytest
import timm
import torch

from sightline.models.head import freeze_backbone, head_names

HEADS = {
    "test_resnet": {"fc.weight", "fc.bias"},
    "test_convnext": {"head.fc.weight", "head.fc.bias"},
    "deit_tiny_distilled_patch16_224": {
        "head.weight", "head.bias", "head_dist.weight", "head_dist.bias",
    },
    "efficientformerv2_s0": {"head.weight", "head.bias", "head_dist.weight", "head_dist.bias"},
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_heads_are_found(name: str) -> None:
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=3)
    assert head_names(network) == HEADS[name]


def test_only_the_two_heads_of_levit_learn() -> None:
    network = timm.create_model("levit_128s", num_classes=3)
    freeze_backbone(network)
    learn = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert {name.split(".")[0] for name in learn} == {"head", "head_dist"}
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network.train()(torch.randn(2, 3, 224, 224))
    after = dict(network.named_buffers())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert {name.split(".")[0] for name in changed} == {"head", "head_dist"}
