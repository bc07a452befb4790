"""A small model of each family of timm: head, features, feature map, and images of 28 pixels."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch

from sightline.config.schema import ModelInputConfig
from sightline.errors import UserError
from sightline.models.build import build_classifier
from sightline.models.feature_map import find_feature_map
from sightline.models.head import head_names
from sightline.models.input_check import check_input
from sightline.types import DatasetInfo

pytestmark = pytest.mark.soak

MODELS = """nest_tiny mobilevit_xxs maxvit_rmlp_pico_rw_256 pvt_v2_b0 tiny_vit_5m_224
swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 vit_tiny_patch16_224
deit_tiny_distilled_patch16_224 cait_xxs24_224 xcit_nano_12_p16_224 levit_128s efficientformer_l1
efficientformerv2_s0 beit_base_patch16_224 mixer_s32_224 convmixer_768_32 poolformer_s12
edgenext_xx_small mvitv2_tiny coat_lite_tiny twins_svt_small visformer_tiny volo_d1_224 davit_tiny
focalnet_tiny_srf gcvit_xxtiny hiera_tiny_224 sequencer2d_s densenet121 vgg11 mobilenetv3_small_100
efficientvit_b0 efficientvit_m0 fastvit_t8 repvit_m0_9 starnet_s1 ghostnet_100 hrnet_w18_small
regnetx_002 coatnet_nano_rw_224 convit_tiny pit_ti_224 tnt_s_patch16_224 resmlp_12_224
gmlp_ti16_224 eva02_tiny_patch14_224 inception_next_tiny xception41 nextvit_small mambaout_femto
hgnet_tiny dla34 tresnet_m inception_v3""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", MODELS)
def test_head_features_and_feature_map(name: str) -> None:
    torch.manual_seed(0)
    network: Any = timm.create_model(name, num_classes=3).eval()
    side = network.pretrained_cfg["input_size"][-1]
    assert {p.partition(".")[0] for p in head_names(network)} <= {
        "head", "head_dist", "fc", "classifier", "last_linear", "aux_head",
    }  # fmt: skip
    image = torch.randn(1, 3, side, side)
    features = network.forward_head(network.forward_features(image), pre_logits=True)
    assert len(features) == 1
    found = find_feature_map(network, image)
    outputs: list[torch.Tensor] = []
    found.layer.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    network(image)
    _, channels, height, width = found.as_map(outputs[-1]).shape
    assert height == width
    assert 1 < height <= side // 4
    assert channels in (network.num_features, network.feature_info[-1]["num_chs"])


@pytest.mark.parametrize("name", MODELS)
def test_images_of_28_pixels_are_seen_or_refused(name: str) -> None:
    info = DatasetInfo("digits", ("a", "b"), 1, 28, (0.5,), (0.2,))
    node = {
        "_target_": "sightline.models.backbone.timm_backbone", "name": name, "pretrained": False,
        "pretrained_path": None, "freeze_backbone": False, "drop_rate": 0.0, "drop_path_rate": 0.0,
    }  # fmt: skip
    try:
        classifier = build_classifier(node, ModelInputConfig(max_img_size=224), info, 2, [])
    except UserError as error:
        print(f"{name}: {error}")
        size = int(str(error).rpartition("works is ")[2].partition(":")[0])
        classifier = build_classifier(node, ModelInputConfig(img_size=size), info, 2, [])
    spec = classifier.preprocess
    assert check_input(classifier.network, 1, spec.img_size).passed
