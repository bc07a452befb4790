"""Models: the small CNN, timm's backbones, pretrained weights from a hub or from disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from support.commands import Sightline, few_canvases
from support.hub import backbone

from sightline import load
from sightline.config.schema import ModelInputConfig
from sightline.errors import UserError
from sightline.models.build import build_classifier
from sightline.models.cifar_resnet import CifarResNet
from sightline.models.cnn import SimpleCNN
from sightline.models.model_names import current_name
from sightline.models.two_stage import TwoStageCNN
from sightline.types import DatasetInfo, PreprocessSpec

TIMM = [
    "model=timm",
    "trainer.max_epochs=1",
    "tracking.system_metrics_interval_s=null",
]
GREY = PreprocessSpec(32, 1, (0.3,), (0.3,))


def test_cnn_is_the_classic_small_network() -> None:
    model = SimpleCNN(10, 3, 64, [32, 64], 128, 0.0)
    kinds = [type(layer).__name__ for layer in model.backbone]
    assert kinds == ["Conv2d", "ReLU", "MaxPool2d", "Conv2d", "ReLU", "MaxPool2d", "Flatten"]
    by_hand = (3 * 9 + 1) * 32 + (32 * 9 + 1) * 64 + (64 * 16 * 16 + 1) * 128 + (128 + 1) * 10
    assert sum(p.numel() for p in model.parameters()) == by_hand
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 10)


def test_cnn_takes_larger_convolutions() -> None:
    model = SimpleCNN(10, 1, 28, [16, 32], 48, 0.0, kernel_size=5)
    by_hand = (25 + 1) * 16 + (16 * 25 + 1) * 32 + (32 * 7 * 7 + 1) * 48 + (48 + 1) * 10
    assert sum(p.numel() for p in model.parameters()) == by_hand == 89_050
    with pytest.raises(UserError, match=r"model\.kernel_size=4: expected an odd number"):
        SimpleCNN(10, 1, 28, [16], 48, 0.0, kernel_size=4)


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)])
def test_a_residual_network_has_the_papers_parameters(depth: int, millions: float) -> None:
    model = CifarResNet(10, 3, depth, 16)
    total = sum(p.numel() for p in model.parameters())
    assert round(total / 1e6, 2) == millions
    assert sum(isinstance(m, torch.nn.Conv2d) for m in model.modules()) == depth - 1
    if depth == 20:
        images = torch.randn(2, 3, 32, 32)
        features = model.forward_features(images)
        assert features.shape == (2, 64, 8, 8)
        assert torch.equal(model.forward_head(features), model(images))
        assert model.forward_head(features, pre_logits=True).shape == (2, 64)


def test_a_residual_network_has_whole_stages() -> None:
    with pytest.raises(UserError, match=r"model\.depth=18: expected 6 n \+ 2 layers, such as 20"):
        CifarResNet(10, 3, 18, 16)


def test_a_head_sees_both_stages() -> None:
    model = TwoStageCNN(43, 3, 32, (108, 108), 100, 0.0)
    assert model.neck[0].in_features == 108 * 7 * 7 + 108 * 5 * 5
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 43)
    assert TwoStageCNN(4, 1, (16, 24), (4, 6), 8, 0.1)(torch.zeros(2, 1, 16, 24)).shape == (2, 4)
    with pytest.raises(UserError, match="images of 16 pixels or more, but they have 12"):
        TwoStageCNN(4, 1, (12, 24), (4, 6), 8, 0.1)


def test_cnn_refuses_more_halvings_than_pixels() -> None:
    with pytest.raises(UserError, match="halves the image 4 times"):
        SimpleCNN(10, 1, 8, [4, 4, 4, 4], 8, 0.0)


@pytest.mark.parametrize(("size", "expected"), [(500, 64), (48, 48)])
def test_photographs_are_seen_by_the_cnn_at_64_pixels_at_most(size: int, expected: int) -> None:
    info = DatasetInfo("photos", ("a", "b"), 3, size, (0.5,) * 3, (0.2,) * 3)
    node = {
        "_target_": "sightline.models.cnn.SimpleCNN",
        "widths": [2],
        "hidden": 4,
        "dropout": 0.0,
    }
    classifier = build_classifier(node, ModelInputConfig(max_img_size=64), info, 2, [])
    assert classifier.preprocess.img_size == expected
    assert classifier.preprocess.mean == info.mean


def test_classifier_normalises_inside() -> None:
    info = DatasetInfo("photos", ("a", "b"), 3, 16, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    node = {
        "_target_": "sightline.models.cnn.SimpleCNN",
        "widths": [2],
        "hidden": 4,
        "dropout": 0.0,
    }
    classifier = build_classifier(node, ModelInputConfig(), info, 2, []).eval()
    image = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    mean, std = torch.tensor(info.mean).view(3, 1, 1), torch.tensor(info.std).view(3, 1, 1)
    expected = classifier.network((image.float() / 255 - mean) / std)
    assert torch.allclose(classifier(image), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_efficientnet", "test_convnext"])
def test_timms_tiny_models_build_at_the_datas_size(name: str) -> None:
    size = 64
    spec = PreprocessSpec(size, 3, (0.5,) * 3, (0.2,) * 3)
    model = backbone(name, img_size=size, from_data=spec)
    assert model(torch.zeros(2, 3, size, size)).shape == (2, 3)
    assert model.preprocess is spec


@pytest.mark.usefixtures("uploads_inline")
@pytest.mark.parametrize(
    ("name", "mode"),
    [("resnet18", "multiclass"),
     *(("test_resnet", mode) for mode in ("binary", "multiclass", "multilabel"))],
)  # fmt: skip
def test_a_timm_backbone_trains_in_every_mode(sightline: Sightline, name: str, mode: str) -> None:
    few = [f"+trainer.limit_{part}_batches=3" for part in ("train", "val", "test")]
    few += few_canvases(mode)
    done = sightline("train", *TIMM, f"model.name={name}", f"label_mode={mode}", *few)
    assert done.status == 0, done.err
    assert done.run.data.params["model"] == name
    assert "test/average_precision_macro" in done.run.data.metrics
    model = load(done.download("checkpoints/best.ckpt"))
    assert model.preprocess.in_chans == 1
    assert model.preprocess.img_size == 32


def test_weights_on_disk_bring_their_preprocessing(weights: Path) -> None:
    model = backbone(pretrained_path=str(weights))
    config = timm.get_pretrained_cfg("test_resnet")
    assert model.preprocess.img_size == config.input_size[-1]
    assert model.preprocess.mean == config.mean
    assert model.preprocess.crop_pct == config.crop_pct
    reference = timm.create_model("test_resnet", num_classes=3)
    own = {k: v for k, v in reference.state_dict().items() if not k.startswith("fc")}
    from safetensors.torch import load_file

    stored = load_file(weights)
    for key in own:
        assert torch.equal(model.state_dict()[key], stored[key]), key
    assert backbone(pretrained_path=str(weights), img_size_override=48).preprocess.img_size == 48


def test_grey_images_keep_what_the_weights_know(weights: Path) -> None:
    model = backbone(pretrained_path=str(weights), in_chans=1, from_data=GREY)
    from safetensors.torch import load_file

    name = next(n for n, v in load_file(weights).items() if v.ndim == 4)
    expected = load_file(weights)[name].sum(dim=1, keepdim=True)
    assert torch.allclose(model.state_dict()[name], expected)
    assert len(model.preprocess.mean) == 1


def test_linear_probe_changes_the_head_alone(sightline: Sightline, weights: Path) -> None:
    done = sightline(
        "train", *TIMM, "model.name=test_resnet", f"model.pretrained_path={weights}",
        "model.freeze_backbone=true", "model.img_size=32", "data.test_fraction=0.4",
        "data.val_fraction=0.4",
    )  # fmt: skip
    assert done.status == 0, done.err
    from safetensors.torch import load_file

    stored = load_file(weights)
    trained = torch.load(done.download("checkpoints/last.ckpt"), weights_only=True)["state_dict"]
    backbone_keys = [key for key in stored if not key.startswith("fc")]
    for key in backbone_keys:
        if key.endswith(("running_mean", "running_var", "weight", "bias")) and "conv1" not in key:
            assert torch.equal(trained[f"classifier.network.{key}"], stored[key]), key


def test_a_probe_of_random_weights_is_refused() -> None:
    with pytest.raises(UserError, match="freeze_backbone"):
        backbone(freeze_backbone=True)


@pytest.mark.parametrize(
    ("given", "nearest"), [("resnet81", "resnet18"), ("efficientnetb0", "efficientnet_b0")]
)
def test_a_wrong_name_gets_the_nearest(given: str, nearest: str) -> None:
    with pytest.raises(UserError, match=nearest):
        backbone(given)


def test_a_wrong_tag_gets_the_nearest() -> None:
    with pytest.raises(UserError, match=r"resnet18\.a1_in1k"):
        backbone("resnet18.a1_in1")


def test_a_former_name_is_replaced_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert current_name("convnext_tiny_in22ft1k") == "convnext_tiny.fb_in22k_ft_in1k"
    assert "is called convnext_tiny.fb_in22k_ft_in1k by timm now" in caplog.text
    assert current_name("resnet18") == "resnet18"
    assert len(caplog.records) == 1


def test_a_missing_or_unfit_file_is_named(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.models.nearest_model.MAX_S", 0.1)
    with pytest.raises(UserError, match=r"nowhere\.pth"):
        backbone(pretrained_path=str(tmp_path / "nowhere.pth"))
    with pytest.raises(UserError, match="does not fit resnet18"):
        backbone("resnet18", pretrained_path=str(weights))
    text = tmp_path / "notes.safetensors"
    text.write_text("not weights")
    with pytest.raises(UserError, match=r"notes\.safetensors"):
        backbone(pretrained_path=str(text))


PRETRAINED = """
import torch
from sightline.models.backbone import timm_backbone
from sightline.types import PreprocessSpec
from sightline.errors import UserError
from safetensors.torch import load_file
try:
    model = timm_backbone(3, 3, 40, None, PreprocessSpec(40, 3, (0.5,)*3, (0.5,)*3), "test_resnet",
                          True, None, False, 0.0, 0.0)
except UserError as error:
    print("refused:", error)
else:
    stored = load_file({path!r})
    same = all(torch.equal(v, stored[k]) for k, v in model.state_dict().items()
               if not k.startswith("fc"))
    print("loaded" if same else "random")
"""


def run_pretrained(path: Path, **environment: str) -> str:
    return _run(PRETRAINED.format(path=str(path)), environment).stdout.strip()


def _run(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HUB_DISABLE_XET": "1", **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_pretrained_weights_come_from_the_hub_and_then_from_its_cache(
    hub: tuple[str, list[str]], weights: Path, tmp_path: Path
) -> None:
    address, requested = hub
    home = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": address}
    assert run_pretrained(weights, **home) == "loaded"
    assert any("GET" in line and "test_resnet" in line for line in requested)
    # A compute node without network finds what the login node fetched.
    home["HF_ENDPOINT"] = "http://127.0.0.1:9"
    assert run_pretrained(weights, **home, HF_HUB_OFFLINE="1") == "loaded"


def test_without_network_and_cache_the_error_says_what_to_do(weights: Path, tmp_path: Path) -> None:
    home = tmp_path / "empty"
    # Eleven requests are made, without the half minute between them.
    code = "import time; time.sleep = lambda _: None\n" + PRETRAINED.format(path=str(weights))
    done = _run(code, {"HF_HOME": str(home), "HF_ENDPOINT": "http://127.0.0.1:9"})
    said = done.stdout.strip()
    assert said.startswith("refused:")
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("hub:     retried for up to a minute: ")
    assert "timm/test_resnet.r160_in1k" in said
    assert str(home) in said
    assert "http://127.0.0.1:9" in said
    assert "model.pretrained_path=FILE" in said


def test_a_checkpoint_never_asks_for_pretrained_weights(
    sightline: Sightline, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = sightline(
        "train", *TIMM, "model.name=test_resnet", f"model.pretrained_path={weights}",
        "model.img_size=32", "data.test_fraction=0.4", "data.val_fraction=0.4",
    )  # fmt: skip
    assert done.status == 0, done.err
    checkpoint = done.download("checkpoints/best.ckpt")
    asked = []
    original = timm.create_model

    def create(name: str, pretrained: bool = False, **options: object) -> torch.nn.Module:
        asked.append(pretrained)
        return original(name, pretrained=pretrained, **options)

    monkeypatch.setattr(timm, "create_model", create)
    model = load(checkpoint)
    assert asked
    assert not any(asked)
    assert model.preprocess.img_size == 32
    assert model.preprocess.mean == pytest.approx(
        (sum(timm.get_pretrained_cfg("test_resnet").mean) / 3,)
    )
