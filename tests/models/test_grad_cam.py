"""Grad-CAM: against its closed form, in the right place, and in every kind of network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import timm
import torch
from timm.models.mlp_mixer import MlpMixer
from timm.models.nest import Nest
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.label_modes.binary import Binary
from sightline.models.classifier import Classifier
from sightline.models.cnn import SimpleCNN
from sightline.models.feature_map import find_feature_map
from sightline.models.grad_cam import grad_cam
from sightline.types import PreprocessSpec


def classify(network: nn.Module, side: int, channels: int = 3) -> Classifier:
    spec = PreprocessSpec(side, channels, (0.5,) * channels, (0.25,) * channels)
    return Classifier(network, spec).eval()


def pictures(side: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, channels, side, side), generator=generator, dtype=torch.uint8)


class Pooled(nn.Module):
    """A convolution, the mean over places, a linear head: where Grad-CAM is CAM (Zhou 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)
        self.head = nn.Linear(5, 4)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.conv(image).mean(dim=(2, 3)))


def test_it_equals_cam_where_the_head_is_linear() -> None:
    torch.manual_seed(0)
    network = Pooled()
    classifier, images = classify(network, 8), pictures(8)
    heat = grad_cam(classifier, images, lambda logits: logits[:, 2])
    maps = network.conv((images / 255 - 0.5) / 0.25).detach()
    cam = (network.head.weight[2].detach()[:, None, None] * maps).sum(dim=1).relu()
    torch.testing.assert_close(heat, cam / cam.amax(dim=(1, 2), keepdim=True))


def test_the_heat_is_where_the_evidence_is() -> None:
    network = Pooled()
    with torch.no_grad():
        network.conv.weight.fill_(0.1)  # the more light, the more of everything
        network.head.weight.fill_(1.0)
    images = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    images[:, :, 1:6, 9:14] = 255
    heat = grad_cam(classify(network, 16), images, lambda logits: logits[:, 0])[0]
    assert heat[2:5, 10:13].min() > 0.9
    assert heat[9:].max() < 0.1


def test_the_two_classes_of_one_logit_have_opposite_evidence() -> None:
    logits = torch.tensor([[2.0], [-3.0]])
    mode = Binary(("no", "yes"), None)
    assert mode.evidence(logits, torch.tensor([1, 1])).tolist() == [2.0, -3.0]
    assert mode.evidence(logits, torch.tensor([0, 0])).tolist() == [-2.0, 3.0]


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("test_resnet", "layer4"), ("test_convnext", "norm_pre"), ("test_efficientnet", "bn2"),
        ("test_vit", "blocks.5.norm1"), ("test_nfnet", "final_act"), ("cnn", "backbone.4"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("frozen", [False, True])
def test_the_last_map_of_each_kind_of_network(name: str, layer: str, frozen: bool) -> None:
    torch.manual_seed(0)
    if name == "cnn":
        network: nn.Module = SimpleCNN(4, 3, 16, [4, 8], 16, 0.2)
        side = 16
    else:
        network = timm.create_model(name, num_classes=4)
        side = 160 if name == "test_vit" else 64
    network.requires_grad_(not frozen)
    classifier, images = classify(network, side), pictures(side)
    found = find_feature_map(network, classifier.normalise(images[:1]))
    assert dict(network.named_modules())[layer] is found.layer
    before = classifier(images)
    heats = [grad_cam(classifier, images, lambda logits, c=c: logits[:, c]) for c in range(4)]
    for heat in heats:
        assert heat.shape == (2, side, side)
        assert heat.min() >= 0
        assert heat.max() <= 1
    assert max(float(heat.max()) for heat in heats) == 1  # some class has something for it
    torch.testing.assert_close(classifier(images), before)  # and no hook is left
    assert all(parameter.grad is None for parameter in network.parameters())


def test_windows_of_tokens_with_channels_last_are_put_in_order() -> None:
    network = timm.create_model(
        "swin_tiny_patch4_window7_224", num_classes=4, img_size=56, embed_dim=24, depths=(1, 1),
        num_heads=(2, 2), window_size=7,
    )  # fmt: skip
    heat = grad_cam(classify(network, 56), pictures(56), lambda logits: logits[:, 1])
    assert heat.shape == (2, 56, 56)


# Small networks of families whose feature maps differ in their layout, the layer that is meant, and
# its layout as their code has it.
FAMILIES: dict[str, tuple[Callable[..., nn.Module], int, str, str]] = {
    "resnet": (partial(timm.create_model, "test_resnet"), 64, "layer4", "NCHW"),
    "nest": (partial(Nest, img_size=64, embed_dims=(24, 48, 96), num_heads=(2, 2, 2),
                     depths=(1, 1, 1)), 64, "norm", "NHWC"),
    "swin": (partial(timm.create_model, "swin_tiny_patch4_window7_224", img_size=56, embed_dim=24,
                     depths=(1, 1), num_heads=(2, 2)), 56, "norm", "NHWC"),
    "mobilevit": (partial(timm.create_model, "mobilevit_xxs"), 64, "final_conv", "NCHW"),
    "pvt_v2": (partial(timm.create_model, "pvt_v2_b0"), 64, "stages", "NCHW"),
    "tiny_vit": (partial(timm.create_model, "tiny_vit_5m_224", embed_dims=(16, 32, 32, 64),
                         depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 2)), 224, "stages", "NCHW"),
    "vit": (partial(timm.create_model, "test_vit"), 160, "blocks.5.norm1", "class token"),
    "mixer": (partial(MlpMixer, img_size=64, patch_size=16, num_blocks=2, embed_dim=32), 64,
              "norm", "tokens"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_it_equals_grad_cam_by_hand_in_every_layout(name: str) -> None:
    make, side, layer, layout = FAMILIES[name]
    torch.manual_seed(0)
    network = make(num_classes=4)
    nn.init.normal_(network.get_classifier().weight)  # zeros in some
    classifier, images = classify(network, side), pictures(side)
    outputs: list[Tensor] = []
    handle = network.get_submodule(layer).register_forward_hook(
        lambda module, inputs, output: outputs.append(output)
    )
    logits = network(((images / 255 - 0.5) / 0.25).requires_grad_())
    handle.remove()
    (slopes,) = torch.autograd.grad(logits[:, 1].sum(), outputs[-1])
    heat = grad_cam(classifier, images, lambda logits: logits[:, 1])
    for one, (values, slope) in enumerate(zip(outputs[-1].detach(), slopes, strict=True)):
        maps, weights = as_maps(values, layout), as_maps(slope, layout).mean(dim=(1, 2))
        cam = (weights[:, None, None] * maps).sum(dim=0).clamp(min=0)
        cam = nn.functional.interpolate(cam[None, None], (side, side), mode="bilinear")[0, 0]
        expected = cam / cam.max().clamp(min=1e-30)
        torch.testing.assert_close(heat[one], expected, rtol=1e-3, atol=1e-4)


def as_maps(values: Tensor, layout: str) -> Tensor:
    if layout == "NCHW":
        return values
    if layout == "NHWC":
        return values.movedim(2, 0)
    tokens = values[1:] if layout == "class token" else values
    side = round(len(tokens) ** 0.5)
    return tokens.T.reshape(-1, side, side)


def test_a_network_without_a_map_is_refused_by_name() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4))
    with pytest.raises(UserError, match="Sequential has no feature map before its head"):
        grad_cam(classify(network, 8), pictures(8), lambda logits: logits[:, 0])


def test_a_head_of_zeros_has_a_feature_map_by_shape() -> None:
    network = MlpMixer(img_size=64, patch_size=16, num_blocks=2, embed_dim=32, num_classes=4)
    assert not network.head.weight.any()
    found = find_feature_map(network.eval(), torch.zeros(1, 3, 64, 64))
    assert found.layer is network.norm
