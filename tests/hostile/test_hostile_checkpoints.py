"""Checkpoints of a stranger's: what they describe is checked before memory or network is used."""

from __future__ import annotations

import copy
import math
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sightline import __version__
from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.inference.load import load_checkpoint
from sightline.models.build import rebuild_classifier
from sightline.models.lora import WEIGHT, merged
from sightline.types import PreprocessSpec

SPEC = PreprocessSpec(8, 1, (0.5,), (0.5,))
NAMES = list("0123456789")
PUBLISHED = {"_target_": "sightline.models.backbone.published_backbone",
             "name": "resnet18.a1_in1k", "pretrained_path": None}  # fmt: skip
TIMM = {"_target_": "sightline.models.backbone.timm_backbone", "name": "resnet18.a1_in1k",
        "num_classes": 10, "in_chans": 1, "img_size": 8, "img_size_override": None,
        "from_data": None, "pretrained": True, "pretrained_path": "/etc/passwd",
        "freeze_backbone": True, "drop_rate": 0.0, "drop_path_rate": 0.0}  # fmt: skip
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def sound() -> dict[str, Any]:
    """The content of a checkpoint that loads."""
    words = ["model.widths=[4]", "model.hidden=4", "tracking.uri=sqlite:///x.db"]
    config = compose_job(words)[0].model_dump(exclude={"tracking"})
    state = rebuild_classifier(config["model"], SPEC, 10, []).state_dict()
    about = {"version": __version__, "class_names": NAMES, "preprocess": SPEC.to_dict(),
             "config": config, "tuning": {"temperature": 1.0}}  # fmt: skip
    weights = {f"classifier.{key}": value for key, value in state.items()}
    return {"state_dict": weights, "sightline": about}


def at(*path: str, value: Any) -> Change:
    """Put a value at a place of the checkpoint's description."""

    def change(state: dict[str, Any]) -> None:
        node = state["sightline"]
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return change


def weights(change: Callable[[torch.Tensor], Any]) -> Change:
    """Change each tensor of the checkpoint."""

    def apply(state: dict[str, Any]) -> None:
        state["state_dict"] = {key: change(each) for key, each in state["state_dict"].items()}

    return apply


def no_mapping(state: dict[str, Any]) -> None:
    state["state_dict"] = [1]


PRE, CONFIG, TUNING = ("preprocess",), ("config",), ("tuning",)


@pytest.mark.parametrize(("change", "message"), [
    (no_mapping, "state_dict is no mapping"),
    (weights(lambda each: "text"), "no named tensor"),
    (lambda state: state["state_dict"].update({1: torch.zeros(1)}), "no named tensor"),
    (weights(lambda each: torch.zeros(()).expand(each.shape)), "larger than what is stored"),
    (lambda state: state["state_dict"].update(x=torch.zeros(1).expand(10**12)), "larger than"),
    (weights(lambda each: each.to_sparse()), "not plain numbers|not a checkpoint"),
    (weights(lambda each: torch.empty_like(each, device="meta")), "not plain numbers"),
    (weights(lambda each: each.to(torch.complex64)), "of complex numbers, but the model's"),
    (weights(lambda each: torch.full_like(each, math.nan)), "not finite"),
    (at(*CONFIG, "model", "hidden", value=10**8), r"is \[4, .*, but the model's is \[100000000, "),
    (at(*CONFIG, "model", "widths", value=[10**7]), "do not fit the model of 10 classes"),
    (at(*CONFIG, "model", value={"_target_": "torch.nn.Identity", "x": PUBLISHED}), "not make"),
    (at(*CONFIG, "model", value={"_target_": "torch.nn.Identity", "x": TIMM}), "do not fit"),
    (at(*CONFIG, "model", value={"_target_": "torch.nn.Identity", "x": [[TIMM]]}), "do not fit"),
    (at("class_names", value=["a"] * 10), "no class_names that"),
    (at("class_names", value=[]), "no class_names that"),
    (at(*CONFIG, "label_mode", value=3), "no config.label_mode that"),
    (at(*CONFIG, "monitor", value=None), "no config.monitor that"),
    (lambda state: state["sightline"].update(config={}), "no config.label_mode, config.model, "),
    (at("version", value="1" * 100_000), "is no version of Sightline"),
    (at(*CONFIG, "data", "batch_size", value=0), "batch_size is 0"),
    (at(*CONFIG, "data", "batch_size", value=-3), "batch_size is -3"),
    (at(*PRE, "img_size", value=10**9), "preprocess.img_size"),
    (at(*PRE, "img_size", value=-8), "preprocess.img_size"),
    (at(*PRE, "img_size", value=[8]), "preprocess.img_size"),
    (at(*PRE, "in_chans", value=10**12), "preprocess.in_chans"),
    (at(*PRE, "in_chans", value=3), "3 channels, but 1 means"),
    (at(*PRE, "mean", value=[math.nan]), "preprocess.mean"),
    (at(*PRE, "mean", value=[0.1, 0.2]), "1 channels, but 2 means"),
    (at(*PRE, "mean", value=None), "preprocess.mean"),
    (at(*PRE, "std", value=[0.0]), "preprocess.std"),
    (at(*PRE, "interpolation", value="x"), "preprocess.interpolation"),
    (at(*PRE, "crop_pct", value=1e-9), "preprocess.crop_pct"),
    (at(*PRE, "crop_mode", value="x"), "preprocess.crop_mode"),
    (at(*PRE, "background", value="x"), "preprocess.background"),
    (at(*PRE, "decode", value=1), "preprocess.decode"),
    (at(*PRE, "pixels", value={"low": math.inf}), "preprocess.pixels"),
    (at(*PRE, "x", value=1), "preprocess.x"),
    (at(*TUNING, "temperature", value=math.nan), "not a positive number"),
    (at(*TUNING, "temperature", value=-1), "not a positive number"),
    (at(*TUNING, "biases", value=[1.0]), "1 biases, and the model 10"),
    (at(*TUNING, "biases", value=[math.nan] * 10), "is not a number"),
    (at(*TUNING, "thresholds", value=[0.5]), "1 thresholds, and the model 0"),
])  # fmt: skip
def test_a_description_that_no_training_wrote(
    sound: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change,
    message: str,
) -> None:  # fmt: skip
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **more: asked.append(words))
    state = copy.deepcopy(sound)
    torch.save(state, path := tmp_path / "x.ckpt")
    assert load_checkpoint(path).class_names == tuple(NAMES)
    change(state)
    torch.save(state, path)
    with pytest.raises(UserError, match=message) as refused:
        load_checkpoint(path)
    assert str(path) in str(refused.value)
    assert asked == []


def test_an_update_of_low_rank_that_would_fill_the_memory() -> None:
    names = [f"x.{WEIGHT}.{part}" for part in ("original", "0.up", "0.down", "0.scale")]
    parts = [torch.zeros(4, 3), torch.zeros(4, 1), torch.zeros(1, 3), torch.ones(())]
    assert merged(dict(zip(names, parts, strict=True)))["x.weight"].shape == (4, 3)
    huge = [parts[0], torch.zeros(10**6, 1), torch.zeros(1, 10**6), parts[3]]
    with pytest.raises(ValueError, match="does not fit its weight"):
        merged(dict(zip(names, huge, strict=True)))
    with pytest.raises(ValueError, match="lacks"):
        merged(dict(zip(names[:3], parts, strict=False)))
