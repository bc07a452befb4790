"""The doctor's findings about weights and about the part of the images that a model sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support.hub import COLOUR, backbone

from sightline.config.compose import compose_job
from sightline.config.schema import TrainConfig
from sightline.doctor.findings import Report
from sightline.doctor.model import check_weights
from sightline.doctor.run import _set_up_quietly
from sightline.models.classifier import Classifier


def findings(network: Any, overrides: list[str], note: str | None = None) -> dict[str, Any]:
    report = Report()
    config, _ = compose_job(["model=timm", "model.name=test_resnet", *overrides])
    classifier = Classifier(network, COLOUR)
    classifier.input_note = note
    check_weights(report, config, classifier)
    return {finding.check: finding for finding in report.findings}


def test_weights_are_said_with_the_share_that_was_loaded(weights: Path, tmp_path: Path) -> None:
    path = [f"model.pretrained_path={weights}"]
    found = findings(backbone(pretrained_path=str(weights)), path)["weights"]
    assert found.level == "ok"
    assert found.message == f"100 % of the backbone from {weights}; the head is new"
    partly = tmp_path / "partly.pth"
    kept = {key: value for key, value in load_file(weights).items() if key != "bn1.bias"}
    torch.save(kept | {"decoder.weight": torch.ones(2, 2)}, partly)
    network = backbone(pretrained_path=str(partly))
    found = findings(network, path)["weights"]
    assert found.level == "warning"
    assert "over 99.9 %" in found.message
    assert found.message.endswith("not in the file: bn1.bias; not used: decoder.weight")
    assert found.details == ["bn1.bias", "decoder.weight"]


def test_random_weights_are_not_said_to_be_at_hand() -> None:
    found = findings(backbone(), [], "images are resized from 28 to 32 pixels")
    assert found["weights"].message == "random"
    assert found["input"].level == "warning"


def test_a_step_is_tried_on_images_where_a_training_has_features(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [f"model.pretrained_path={weights}", "model.freeze_backbone=true", "augment=none"]
    config, _ = compose_job(["model=timm", "model.name=test_resnet", *words])
    assert config.fine_tuning.cache_features == "auto"
    seen: list[TrainConfig] = []
    monkeypatch.setattr("sightline.doctor.run.set_up", seen.append)
    _set_up_quietly(config)
    assert seen[0].fine_tuning.cache_features is False
    assert seen[0].model | {"cache_features": "auto"} == config.model
