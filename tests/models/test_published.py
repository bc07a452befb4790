"""timm's models as published: their list, and an evaluation without a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from support.commands import Sightline
from timm.data import create_transform, resolve_data_config
from timm.data.imagenet_info import ImageNetInfo
from timm.utils import accuracy

from sightline.errors import UserError
from sightline.models.imagenet import imagenet_names
from sightline.models.published import cached_weights, published_models
from sightline.predictions import Predictions

CLASSES = {"n02206856": 309, "Goldfish": 1, "ants": 310}  # a synset, a word, a plural


class WithOutputs(torch.nn.Module):
    """A network that was trained on a set of so many classes."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_classes = count


@pytest.fixture
def images(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    for number, name in enumerate(CLASSES):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for each in range(4 + number):
            pixels = draw.integers(0, 256, (180 + 20 * each, 200, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{each}.png")
    return tmp_path / "images"


def validated(images: Path, weights: Path) -> tuple[dict[str, torch.Tensor], float]:
    """timm's validate.py on these images: logits by file name, and the accuracy in percent."""
    model = timm.create_model("test_resnet", pretrained=False)
    model.load_state_dict(load_file(weights))
    config = resolve_data_config({}, model=model, use_test_size=True)
    transform: Any = create_transform(**config, is_training=False)
    logits, targets = {}, []
    with torch.inference_mode():
        for path in sorted(images.rglob("*.png")):
            with Image.open(path) as image:
                one = transform(image.convert("RGB"))[None]
            logits[f"{path.parent.name}/{path.name}"] = model.eval()(one)[0]
            targets.append(CLASSES[path.parent.name])
    [top1] = accuracy(torch.stack([*logits.values()]), torch.tensor(targets), topk=(1,))
    return logits, float(top1)


def test_a_published_model_is_evaluated_as_timm_validates_it(
    sightline: Sightline, images: Path, weights: Path
) -> None:
    done = sightline(
        "evaluate", "model=timm", "model.name=test_resnet", f"model.pretrained_path={weights}",
        "data=folder", f"data.root={images}", "data.num_workers=0", "report=false", "name=photos",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert "ants is ant, emmet, pismire (n02219486)" in done.out
    assert done.run.data.tags["evaluates"] == "test_resnet"
    table = Predictions.read(done.download("predictions/photos.parquet"))
    logits, top1 = validated(images, weights)
    assert set(table.ids) == set(logits)
    assert table.probs.shape == (15, 1000)
    wanted = torch.stack([logits[each] for each in table.ids]).softmax(dim=1).numpy()
    np.testing.assert_allclose(table.probs, wanted, atol=2e-3)  # a grey level, by another resizing
    assert (table.probs.argmax(axis=1) == wanted.argmax(axis=1)).mean() > 0.9
    assert sorted(set(table.targets.tolist())) == sorted(CLASSES.values())
    assert done.run.data.metrics["photos/accuracy"] == pytest.approx(top1 / 100, abs=0.07)


def test_classes_are_matched_by_imagenets_synsets_and_words() -> None:
    names, notes = imagenet_names(WithOutputs(1000), ["bees", "Egyptian_cat", "n02219486", "zebu"])
    assert (names[309], names[285], names[310]) == ("bees", "Egyptian_cat", "n02219486")
    assert names[0] == "tench, Tinca tinca"
    assert len(set(names)) == len(names) == 1000
    assert any("Egyptian_cat is Egyptian cat (n02124075)" in note for note in notes)
    assert len(set(imagenet_names(WithOutputs(21841), ["ant"])[0])) == 21841
    info = ImageNetInfo()
    whole, notes = imagenet_names(WithOutputs(1000), info.label_names())
    assert list(whole) == info.label_names()


@pytest.mark.parametrize(
    ("outputs", "wanted", "expected"),
    [(1000, ["crane", "ant"], "'crane' means several of ImageNet's .*n02012849.*by its synset"),
     (1000, ["goldfihs", "xyzzy"], "None of the data's classes .*Did you mean 'goldfish'"),
     (10, ["ant"], "has 10 outputs, which are those of no set of ImageNet")],
)  # fmt: skip
def test_classes_that_cannot_be_matched_are_refused(
    outputs: int, wanted: list[str], expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        imagenet_names(WithOutputs(outputs), wanted)


REFUSED = {
    "nothing": (["split=test"], "Nothing to evaluate: give run=RUN"),
    "both": (["run=.", "model=timm"], "leave one out"),
    "no data": (["model=timm"], "has no data of its own: give data=SOURCE"),
    "cnn": (["model=cnn", "data=folder", "data.root=."], "was not published with weights"),
    "a key of training": (["model=timm", "model.freeze_backbone=true", "data=digits"],
                          "leave model.freeze_backbone out"),
    "random": (["model=timm", "model.pretrained=false", "data=digits"], "no meaning to evaluate"),
    "unknown": (["model=timm", "model.name=resnet81", "data=digits"], "Did you mean 'resnet18'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_evaluated_is_refused(sightline: Sightline, case: str) -> None:
    words, expected = REFUSED[case]
    done = sightline("evaluate", *words)
    assert done.status == 1
    assert expected in done.err
    assert done.err.count("Error") == 1
    assert done.runs == []


def test_a_file_without_the_head_is_refused(
    sightline: Sightline, weights: Path, tmp_path: Path
) -> None:
    state = {name: value for name, value in load_file(weights).items() if "fc" not in name}
    torch.save(state, tmp_path / "backbone.pth")
    done = sightline(
        "evaluate", "model=timm", "model.name=test_resnet", "data=digits",
        f"model.pretrained_path={tmp_path}/backbone.pth",
    )  # fmt: skip
    assert done.status == 1
    assert "it holds no head with its classes" in done.err


def test_models_are_listed_with_what_they_expect(sightline: Sightline) -> None:
    found = {model.name: model for model in published_models("test_v*")}
    assert {"test_vit.r160_in1k", "test_vit2.r160_in1k"} <= found.keys()
    for name, model in found.items():
        network = timm.create_model(name)
        assert model.parameters == sum(p.numel() for p in network.parameters())
        assert model.input_size == network.pretrained_cfg["input_size"]
        assert model.has_weights == ("." in name)
    done = sightline("models", "test_resne*", tracked=False)
    assert done.status == 0
    assert "test_resnet.r160_in1k" in done.out
    assert "3×160×160" in done.out
    wrong = sightline("models", "resnte18", tracked=False)
    assert wrong.status == 1
    assert "Did you mean 'resnet18'" in wrong.err


def test_weights_in_the_cache_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = timm.get_pretrained_cfg("test_resnet")
    assert cached_weights(None) is None
    monkeypatch.setattr("sightline.models.published.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    assert cached_weights(config) is None
    at = str(tmp_path / "model.safetensors")
    monkeypatch.setattr("sightline.models.published.try_to_load_from_cache", lambda *_: at)
    assert cached_weights(config) == Path(at)
