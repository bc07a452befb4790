"""A user's own installed module supplies models, losses and data through `_target_`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.commands import Sightline

from sightline import load
from sightline.errors import UserError

MODULE = """
import numpy as np
import torch
from torch import nn
from sightline.data.reading.images import ArrayImages
from sightline.data.source_data import SourceData, take

class Linear(nn.Module):
    def __init__(self, num_classes: int, in_chans: int, img_size: int, scale: float):
        super().__init__()
        self.scale = scale
        self.layer = nn.Linear(in_chans * img_size**2, num_classes)
    def forward(self, x):
        return self.layer(x.flatten(1) * self.scale)

class Squared(nn.Module):
    def __init__(self, num_classes: int, weight: float):
        super().__init__()
        self.num_classes, self.weight = num_classes, weight
    def forward(self, logits, target):
        wanted = nn.functional.one_hot(target, self.num_classes)
        return self.weight * (logits.softmax(1) - wanted).square().sum(1).mean()

def read_stripes(label_mode: str, count: int, split_seed: int) -> SourceData:
    rng = np.random.default_rng(split_seed)
    splits = {}
    for name in ("train", "val", "test"):
        targets = rng.integers(0, 2, count)
        images = rng.integers(0, 60, (count, 12, 12), dtype=np.uint8)
        images[targets == 1, ::2] += 150
        splits[name] = take([f"{name}/{i}" for i in range(count)], targets, ArrayImages(images))
    return SourceData("stripes", "made up", ("plain", "striped"), splits)
"""

CONFIGS = {
    "data/stripes.yaml": (
        "defaults: [/data_common@_here_, _self_]\n"
        "_target_: sightline_plugin.read_stripes\ncount: 60\n"
    ),
    "model/linear.yaml": "_target_: sightline_plugin.Linear\nscale: 0.5\n",
    "loss/squared.yaml": "_target_: sightline_plugin.Squared\nweight: 2.0\n",
    "experiment/stripes.yaml": (
        "# @package _global_\n"
        "defaults:\n  - override /data: stripes\n  - override /model: linear\n"
        "  - override /loss: squared\n"
        "plugins: [sightline_plugin]\ntrainer: {max_epochs: 6}\noptimizer: {lr: 0.01}\n"
        "tracking: {system_metrics_interval_s: null}\n"
    ),
}


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "site" / "sightline_plugin.py"
    package.parent.mkdir()
    package.write_text(MODULE)
    monkeypatch.syspath_prepend(str(package.parent))
    folder = tmp_path / "my_configs"
    for path, text in CONFIGS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    yield folder
    sys.modules.pop("sightline_plugin", None)


def test_a_plugin_trains_and_its_checkpoint_rebuilds_it(
    sightline: Sightline, configs: Path
) -> None:
    done = sightline("train", "--config-dir", str(configs), "experiment=stripes")
    assert done.status == 0, done.err
    run = done.run
    assert run.data.params["model"] == "linear"
    assert run.data.params["loss.weight"] == "2.0"
    assert run.data.metrics["test/accuracy"] > 0.9
    checkpoint = done.download("checkpoints/best.ckpt")
    with pytest.raises(UserError, match=r"plugins=\[sightline_plugin\]"):
        load(checkpoint)  # a stranger's could name any package
    model = load(checkpoint, plugins=["sightline_plugin"])
    assert type(model.classifier.network).__name__ == "Linear"
    assert model.class_names == ("plain", "striped")
    striped = np.full((12, 12), 30, dtype=np.uint8)
    striped[::2] += 150
    plain = np.full((12, 12), 30, dtype=np.uint8)
    probs = model.probs([Image.fromarray(plain), Image.fromarray(striped)])
    assert probs.argmax(axis=1).tolist() == [0, 1]


def test_a_package_that_is_not_listed_is_refused(sightline: Sightline, configs: Path) -> None:
    done = sightline("train", "--config-dir", str(configs), "experiment=stripes", "plugins=[]")
    assert done.status == 1
    assert "plugins=[sightline_plugin]" in done.err


def test_a_plugins_own_arguments_are_checked(sightline: Sightline, configs: Path) -> None:
    done = sightline("train", "--config-dir", str(configs), "experiment=stripes", "+model.scael=2")
    assert done.status == 1
    assert "'model.scale'" in done.err
    done = sightline("train", "--config-dir", str(configs), "experiment=stripes", "model.scale=big")
    assert "model.scale: expected a valid number" in done.err


def test_the_users_options_are_shown_and_suggested(sightline: Sightline, configs: Path) -> None:
    done = sightline("train", "--config-dir", str(configs), "--help", "model", tracked=False)
    assert done.status == 0
    assert "linear" in done.out
    done = sightline("train", "--config-dir", str(configs), "model=linaer")
    assert "Did you mean 'linear'" in done.err
