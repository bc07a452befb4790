"""Trainings from pretrained weights: cached features, low-rank updates and unfreezing, resumed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import timm
import torch
from pytorch_lightning import Callback
from safetensors.torch import save_file
from support.configs import changed_config
from support.differences import checkpoint_differences
from support.images import make_folder
from torch import nn
from torch.optim import SGD

from sightline import load
from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.runs.folder import RunFolder
from sightline.training.fit import Results, fit_and_evaluate
from sightline.training.param_groups import freeze
from sightline.training.quiet import quiet_libraries
from sightline.training.setup import set_up
from sightline.training.signals import Signals
from sightline.training.stand_in import check_on_stand_in
from sightline.training.unfreezing import Unfreezing

FEW = ["data=folder", "data.batch_size=8", "data.num_workers=0", "trainer=cpu",
       "trainer.max_epochs=2", "model=timm", "model.img_size=32",
       "checkpoint.every_n_steps=1"]  # fmt: skip
PROBE = [
    "model.name=test_resnet",
    "model.freeze_backbone=true",
    "augment=none",
    "label_mode=binary",
]
LORA = ["model.name=test_vit", "model.lora_rank=2"]
STAGED = [
    "model.name=test_resnet",
    "optimizer.param_groups=[{pattern:fc.*,lr_factor:3},{pattern:'*',freeze_epochs:1}]",
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of two tiny models, as timm publishes such, and images."""
    folder = tmp_path_factory.mktemp("published")
    make_folder(folder / "images", {"cat": 24, "dog": 24})
    torch.manual_seed(3)
    for name in ("test_resnet", "test_vit"):
        save_file(timm.create_model(name).state_dict(), folder / f"{name}.safetensors")
    return folder


class Killed(BaseException):
    """What a SIGKILL leaves, without a process of its own."""


class Kill(Callback):
    """Stops a training at the start of a batch, for good."""

    def __init__(self, epoch: int, batch: int) -> None:
        self.when = (epoch, batch)

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        if (trainer.current_epoch, index) == self.when:
            raise Killed


def run(folder: Path, published: Path, words: list[str], *further: Callback) -> Results:
    quiet_libraries()
    name = next(word for word in words if word.startswith("model.name")).partition("=")[2]
    weights = f"model.pretrained_path={published}/{name}.safetensors"
    own = [f"data.root={published}/images", weights, f"hydra.run.dir={folder}"]
    config, _ = compose_job([*FEW, *own, *words])
    torch.manual_seed(config.seed)
    setup = set_up(config)
    torch.manual_seed(len(further))  # what was drawn before does not matter
    return fit_and_evaluate(config, RunFolder(folder), setup, Signals(), [*further], True)


@pytest.mark.parametrize("words", [PROBE, LORA, STAGED], ids=["features", "lora", "unfreezing"])
def test_resumed_it_is_the_same_to_the_last_bit(
    words: list[str], published: Path, tmp_path: Path
) -> None:
    whole = run(tmp_path / "a", published, words)
    with pytest.raises(Killed):
        run(tmp_path / "b", published, words, Kill(1, 2))
    again = run(tmp_path / "b", published, words)
    assert whole.losses == again.losses
    assert not list(checkpoint_differences(tmp_path / "a", tmp_path / "b"))
    _check_loaded(tmp_path / "b/checkpoints/best.ckpt")


def _check_loaded(checkpoint: Path) -> None:
    """A loaded model has plain layers; updates that are merged change no bit of its weights."""
    loaded = load(checkpoint).classifier.state_dict()
    stored = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert not any("parametrizations" in key for key in loaded)
    for key, original in stored.items():
        layer, updated, _ = key.partition(".parametrizations.weight.original")
        if updated:
            place = f"{layer}.parametrizations.weight.0"
            up, down, scale = (stored[f"{place}.{part}"] for part in ("up", "down", "scale"))
            weight = loaded[f"{layer.removeprefix('classifier.')}.weight"]
            assert torch.equal(weight, original + scale * (up @ down))
            assert not torch.equal(weight, original)


def test_a_probe_on_cached_features_is_one_on_images(published: Path, tmp_path: Path) -> None:
    cached = run(tmp_path / "a", published, [*PROBE, "model.cache_features=true"])
    images = run(tmp_path / "b", published, [*PROBE, "model.cache_features=false"])
    for split, table in cached.predictions.items():
        other = images.predictions[split]
        np.testing.assert_array_equal(table.ids, other.ids)
        np.testing.assert_allclose(table.probs, other.probs, atol=1e-5)
    weights = [torch.load(tmp_path / f"{run}/checkpoints/last.ckpt", weights_only=True)
               for run in "ab"]  # fmt: skip
    head = "classifier.network.fc.weight"
    one, other = (each["state_dict"][head] for each in weights)
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("world_size", [1, 2])
def test_unfreezing_goes_by_the_epoch_alone(world_size: int) -> None:
    """Several processes exchange all gradients, so that those of what is frozen are dropped."""
    groups = "[{pattern: '0.*', freeze_epochs: 2}, {pattern: '1.*', freeze: true}]"
    common = changed_config(f"optimizer.param_groups={groups}").optimizer_common
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    module: Any = nn.ModuleDict({"classifier": nn.ModuleDict({"network": network})})
    freeze(module, common)
    trainer: Any = SimpleNamespace(world_size=world_size, current_epoch=0)
    callback = Unfreezing(common)
    callback.on_fit_start(trainer, module)
    learnt = {}
    for epoch in (0, 1, 2, 1):  # resumed in an earlier one at the end
        trainer.current_epoch = epoch
        callback.on_train_start(trainer, module)
        callback.on_train_epoch_start(trainer, module)
        network.zero_grad()
        network(torch.ones(1, 2)).sum().backward()
        callback.on_before_optimizer_step(trainer, module, SGD(network.parameters(), lr=1))
        learnt[epoch] = [layer.weight.grad is not None for layer in network]
    late, always = [True, False, True], [False, False, True]
    assert learnt == {0: always, 1: always, 2: late}


REFUSED = {
    "no attention": (["model.name=resnet18", "model.lora_rank=4", "model.pretrained=true"],
                     "ResNet has no layer that model.lora_layers"),
    "no weights": (["model.lora_rank=4"], "model.lora_rank=4 updates pretrained weights"),
    "no batch norm": (["model.name=test_vit", "model.pretrained=true",
                       "model.freeze_batch_norm=true"],
                      "VisionTransformer has no batch normalisation"),
    "never": (["optimizer.param_groups=[{pattern: 'layer4.*', freeze_epochs: 20}]"],
              "with trainer.max_epochs=20 they never learn"),
    "nothing at first": (["optimizer.param_groups=[{pattern: '*', freeze_epochs: 2}]"],
                         "nothing learns in the first epoch"),
    "frozen twice": (["optimizer.param_groups=[{pattern: '*', freeze: true, freeze_epochs: 2}]"],
                     "freeze=true and none of these"),
    "of no layer": (["model.name=test_vit", "model.pretrained=true", "model.lora_rank=4",
                     "model.lora_layers=[blocks.0.atn.qkv]"], "Did you mean 'blocks.0.attn.qkv'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused_before_data_is_read(case: str) -> None:
    words, expected = REFUSED[case]
    with pytest.raises(UserError) as refused:
        check_on_stand_in(changed_config("model=timm", *words))
    assert expected in str(refused.value)
