"""timm's internals that Sightline relies on, each of which a release of timm may change."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch

from sightline.models.nearest_model import _shapes
from sightline.models.timm_compat import create_with_conversion, first_convolutions


def test_the_conversion_of_published_weights_is_found() -> None:
    """Facebook's ConvNeXt names its layers otherwise; timm's loader converts them."""
    network: Any
    network, convert = create_with_conversion("test_convnext", {"num_classes": 3})
    published = {
        "downsample_layers.0.0.weight": torch.ones(24, 3, 4, 4),
        "head.weight": torch.ones(3, 64),
    }
    assert "stem.0.weight" in convert(published)
    assert "file" not in network.pretrained_cfg
    _, nothing = create_with_conversion("test_resnet", {"num_classes": 3})
    assert nothing(published) == published


def test_first_layers_are_named() -> None:
    assert first_convolutions(timm.create_model("test_resnet")) == ("conv1.0",)
    assert first_convolutions(timm.create_model("test_vit")) == ("patch_embed.proj",)


@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet", "test_convnext", "resnet18"])
def test_a_network_without_memory_has_the_shapes_of_a_real_one(name: str) -> None:
    backbone, _ = _shapes(name)
    real = timm.create_model(name, num_classes=0).state_dict()
    assert {key: tensor.shape for key, tensor in backbone.items()} == {
        key: tensor.shape for key, tensor in real.items() if tensor.is_floating_point()
    }
    assert all(tensor.is_meta for tensor in backbone.values())
