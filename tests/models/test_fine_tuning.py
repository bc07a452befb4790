"""Pretrained weights made ready: the head's start, frozen norms, the cut before the head."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import nn

from sightline.config.fine_tuning_keys import FineTuningConfig
from sightline.errors import UserError
from sightline.models.fine_tuning import check_fine_tuning, freeze_batch_norm, prepare_network
from sightline.models.head import freeze_backbone, head_module, head_names
from sightline.models.head_cut import NoCut, cut_head, head_inputs

PRETRAINED = {"pretrained": True}
CUTS = {
    "test_resnet": "fc", "test_efficientnet": "classifier", "test_convnext": "head.fc",
    "test_vit": "head", "levit_128s": None, "deit_tiny_distilled_patch16_224": None,
    "convnext_atto": "head.fc", "resnetv2_50x1_bit": "head.fc",
}  # fmt: skip


def small(name: str = "test_resnet", **options: Any) -> Any:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=2, **options)


def test_the_head_starts_small_and_nothing_else_is_touched() -> None:
    """timm starts that of the EfficientNet family with a deviation of 0.4 for two classes."""
    network, before = small("test_efficientnet"), small("test_efficientnet").state_dict()
    assert before["classifier.weight"].std() > 0.2
    prepare_network(network, PRETRAINED, FineTuningConfig(head_std=0.01))
    after = network.state_dict()
    assert after["classifier.weight"].std() == pytest.approx(0.01, rel=0.15)
    assert not after["classifier.bias"].any()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed <= head_names(network)
    logits = network.eval()(torch.randn(8, 3, 64, 64))
    loss = nn.functional.cross_entropy(logits, torch.arange(8) % 2)
    assert loss.item() == pytest.approx(0.693, abs=0.1)


def test_a_norm_in_a_head_keeps_its_weights() -> None:
    network = small("levit_128s")
    prepare_network(network, PRETRAINED, FineTuningConfig(head_std=0.01))
    assert (network.head.bn.weight == 1).all()
    assert network.head.linear.weight.detach().std() == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize("model", [{}, {"pretrained": False, "pretrained_path": None}])
def test_a_random_model_starts_as_it_is(model: dict[str, Any]) -> None:
    network = small()
    prepare_network(network, model, FineTuningConfig(head_std=0.01))
    for name, value in small().state_dict().items():
        assert torch.equal(network.state_dict()[name], value)


def test_frozen_batch_normalisation_stays() -> None:
    network = small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    freeze_batch_norm(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network.train()(torch.randn(4, 3, 64, 64)).square().sum().backward()
    optimizer.step()
    after = network.state_dict()
    norms = {name for name, module in network.named_modules() if "BatchNorm" in str(type(module))}
    of_norms = {name for name in after if name.rpartition(".")[0] in norms}
    assert len(of_norms) > 10
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert {"conv1.0.weight", "fc.weight"} <= changed
    assert not changed & of_norms


def test_a_model_without_batch_normalisation_is_refused() -> None:
    with pytest.raises(UserError, match="has no batch normalisation"):
        freeze_batch_norm(small("test_vit"))


@pytest.mark.parametrize("name", CUTS)
def test_the_head_is_the_smallest_module_with_all_of_it(name: str) -> None:
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=2)
    found = head_module(network)
    assert found == CUTS[name]


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
def test_the_head_on_its_inputs_gives_the_networks_logits(name: str) -> None:
    network = small(name).train()
    image = torch.randn(6, *network.pretrained_cfg["input_size"])
    freeze_backbone(network)
    cut = cut_head(network, image[:2])
    assert network.training
    found = head_inputs(network, cut.head, [image[:3], image[3:]])
    assert not found.is_inference()
    assert found.shape == (6, *cut.shape)
    with torch.no_grad():
        wanted = torch.cat([network.eval()(image[:3]), network(image[3:])])
        assert torch.equal(torch.cat([cut.head(found[:3]), cut.head(found[3:])]), wanted)


def test_a_network_that_goes_on_after_its_head_has_no_cut() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.num_classes, self.fc = 2, nn.Linear(12, 2)

        def reset_classifier(self, num_classes: int) -> None:
            self.fc = nn.Linear(12, num_classes)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            scaled: torch.Tensor = 3 * self.fc(image.flatten(1))
            return scaled

    with pytest.raises(NoCut, match="not those of its head alone"):
        cut_head(Scaled(), torch.randn(2, 3, 2, 2))
    distilled = small("deit_tiny_distilled_patch16_224")
    with pytest.raises(NoCut, match="no single head"):
        cut_head(distilled, torch.randn(2, 3, 224, 224))


@pytest.mark.parametrize(
    ("model", "expected"),
    [({}, "updates pretrained weights; add model.pretrained=true"),
     (PRETRAINED | {"freeze_backbone": True}, "only the head learns")],
)  # fmt: skip
def test_low_rank_updates_that_would_do_nothing_are_refused(
    model: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        check_fine_tuning(model, FineTuningConfig(lora_rank=4))


def test_batch_normalisation_of_random_weights_is_not_frozen() -> None:
    with pytest.raises(UserError, match="without such it would keep those of no image"):
        check_fine_tuning({}, FineTuningConfig(freeze_batch_norm=True))
    check_fine_tuning(PRETRAINED, FineTuningConfig(freeze_batch_norm=True))
