"""The size of images: what a model cannot take or would not see is found before a training."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from sightline.config.schema import ModelInputConfig
from sightline.errors import UserError
from sightline.models.build import build_classifier
from sightline.models.classifier import Classifier
from sightline.models.cnn import SimpleCNN
from sightline.models.input_check import check_input
from sightline.types import DatasetInfo, PreprocessSpec

TIMM = {
    "_target_": "sightline.models.backbone.timm_backbone", "pretrained": False,
    "pretrained_path": None, "freeze_backbone": False, "drop_rate": 0.0, "drop_path_rate": 0.0,
}  # fmt: skip


def build(node: dict[str, Any], size: int, **given: Any) -> Classifier:
    info = DatasetInfo("photos", ("a", "b"), 3, size, (0.5,) * 3, (0.2,) * 3)
    return build_classifier(node, ModelInputConfig(**given), info, 2, [__name__.split(".")[0]])


class Patches(nn.Module):
    """The mean of patches of 16 pixels, and a head that starts with zeros."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 16, stride=16)
        self.head = nn.Linear(4, num_classes)
        nn.init.zeros_(self.head.weight)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.conv(image).mean(dim=(2, 3)))


PATCHES = {"_target_": f"{__name__}.Patches"}


def test_pixels_that_no_output_depends_on_are_counted() -> None:
    network = Patches(2)
    state = torch.get_rng_state()
    assert check_input(network, 3, 28).unseen == pytest.approx(1 - (16 / 28) ** 2)
    assert check_input(network, 3, 32).unseen == 0
    assert "Kernel size" in str(check_input(network, 3, 8).error)
    assert not network.head.weight.any()  # the check leaves nothing behind
    assert network.training
    assert torch.equal(torch.get_rng_state(), state)


def test_a_small_network_sees_all_of_its_images_for_any_seed() -> None:
    """Units that are all off at a border in two images would make the input's size a matter of
    the seed, and seeds of one config groups of their own."""
    for seed in range(30):
        torch.manual_seed(seed)
        network = SimpleCNN(10, 1, 32, widths=[4, 4], hidden=8, dropout=0.25)
        assert check_input(network, 1, 32).passed, seed


def test_what_a_network_keeps_in_evaluation_mode_is_dropped() -> None:
    """TinyViT and LeViT keep biases of attention, which start with zeros."""
    torch.manual_seed(0)
    network = timm.create_model(
        "tiny_vit_5m_224", embed_dims=(8, 16, 16, 16), depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1)
    ).eval()
    image = torch.randn(1, 3, 224, 224)
    before = copy.deepcopy(network)(image)
    assert check_input(network, 3, 224).passed
    assert not network.training
    assert torch.equal(network(image), before)


def test_residual_branches_that_start_with_zeros_count_as_seen() -> None:
    assert check_input(build(TIMM | {"name": "test_resnet"}, 28).network, 3, 28).unseen == 0


def test_images_are_resized_to_the_next_size_that_is_seen() -> None:
    torch.manual_seed(4)
    classifier = build(PATCHES, 28)
    assert classifier.preprocess.img_size == 32
    assert classifier.input_note is not None
    assert "resized from 28 to 32 pixels" in classifier.input_note
    assert "67.3 %" in classifier.input_note
    assert classifier(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape == (2, 2)
    torch.manual_seed(4)
    same = build(PATCHES, 32)
    assert same.input_note is None
    for name, value in same.state_dict().items():
        assert torch.equal(value, classifier.state_dict()[name]), name


def test_a_size_of_the_users_is_refused_with_the_two_nearest() -> None:
    with pytest.raises(UserError, match=r"img_size=28: .*67\.3 % .*img_size=16 or .*img_size=32\."):
        build(PATCHES, 100, img_size=28)


def test_a_size_that_is_too_small_is_refused_with_the_smallest_that_works() -> None:
    with pytest.raises(UserError, match=r"test_vit cannot take .*28×28.* works is 32: "):
        build(TIMM | {"name": "test_vit"}, 28)
    with pytest.raises(UserError, match=r"Patches cannot take .*8×8.* works is 16: "):
        build(PATCHES, 8)


def test_a_batch_of_one_with_batch_normalisation_is_refused() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4), nn.BatchNorm1d(4))
    assert check_input(network, 3, 8).one_value
    classifier = Classifier(network, PreprocessSpec(8, 3, (0.5,) * 3, (0.2,) * 3))
    classifier.one_value = True
    image = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(UserError, match=r"larger data\.batch_size"):
        classifier(image)
    assert classifier.eval()(image).shape == (1, 4)
    assert not check_input(network.requires_grad_(False), 3, 8).one_value
