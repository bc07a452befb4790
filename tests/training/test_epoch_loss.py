"""The epoch's training loss beside the criterion over all of its samples at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import CutMix, MixUp

from sightline.data.loading.augmentation import mix_batch
from sightline.label_modes.base import LabelMode
from sightline.label_modes.binary import Binary
from sightline.label_modes.multiclass import Multiclass
from sightline.label_modes.multilabel import Multilabel
from sightline.training.epoch_state import share
from sightline.training.epoch_sums import EpochSums, weight_of
from sightline.training.losses.asymmetric import asymmetric
from sightline.training.losses.cross_entropy import cross_entropy
from sightline.training.losses.focal import focal

MODES: dict[str, LabelMode] = {
    "binary": Binary(("no", "yes"), None),
    "multiclass": Multiclass(("a", "b", "c")),
    "multilabel": Multilabel(("a", "b", "c")),
}
SIZE = 16  # of a batch; the last one of 101 samples has 5
Criterion = Callable[[LabelMode, np.ndarray], nn.Module]
CRITERIA: dict[str, Criterion] = {
    "plain": lambda mode, target: cross_entropy(mode, target, None, 0.0),
    "balanced": lambda mode, target: cross_entropy(mode, target, "balanced", 0.0),
    "balanced and smooth": lambda mode, target: cross_entropy(mode, target, "balanced", 0.1),
    "focal": lambda mode, target: focal(mode, 2.0),
}


def samples(name: str) -> tuple[np.ndarray, Tensor]:
    """Targets, of several labels some unknown, and logits of 101 samples."""
    rng = np.random.default_rng(3)
    shares = [0.85, 0.1, 0.05]
    if name == "multilabel":
        target = (rng.random((101, 3)) < shares).astype(np.int8)
        target[rng.random(target.shape) < 0.2] = -1
        target[:SIZE] = -1  # nothing is known of a whole batch
    elif name == "binary":
        target = (rng.random(101) < 0.15).astype(np.int64)
    else:
        target = rng.choice(3, 101, p=shares)
    logits = torch.from_numpy(rng.standard_normal((101, MODES[name].num_outputs))).float()
    return target, 3 * logits


def epoch_loss(mode: LabelMode, criterion: nn.Module, logits: Tensor, target: Tensor) -> float:
    sums = EpochSums(torch.device("cpu"))
    for x, y in zip(logits.split(SIZE), target.split(SIZE), strict=True):
        inputs = mode.loss_inputs(x, y)
        sums.add_loss(criterion(*inputs), weight_of(criterion, inputs[1]), len(y))
    return sums.metrics(sums.values(), 1.0)["train/loss"]


@pytest.mark.parametrize("kind", CRITERIA)
@pytest.mark.parametrize("name", MODES)
def test_an_epochs_loss_is_the_criterion_over_all_samples(name: str, kind: str) -> None:
    mode, (target, logits) = MODES[name], samples(name)
    criterion, encoded = CRITERIA[kind](mode, target), torch.from_numpy(target)
    expected = float(criterion(*mode.loss_inputs(logits, encoded)))
    assert epoch_loss(mode, criterion, logits, encoded) == pytest.approx(expected, rel=1e-6)


def test_the_asymmetric_loss_too() -> None:
    mode, (target, logits) = MODES["multilabel"], samples("multilabel")
    criterion, encoded = asymmetric(mode, 4.0, 1.0, 0.05), torch.from_numpy(target)
    expected = float(criterion(*mode.loss_inputs(logits, encoded)))
    assert epoch_loss(mode, criterion, logits, encoded) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("mix", [MixUp(alpha=1.0), CutMix(alpha=1.0)])
@pytest.mark.parametrize("kind", CRITERIA)
@pytest.mark.parametrize("name", MODES)
def test_of_mixed_targets_it_is_the_same_mean(name: str, kind: str, mix: nn.Module) -> None:
    torch.manual_seed(0)
    mode, (target, logits) = MODES[name], samples(name)
    images = torch.rand(101, 1, 4, 4)
    _, mixed = mix_batch(mix, mode, images, torch.from_numpy(target))
    criterion = CRITERIA[kind](mode, target)
    expected = float(criterion(*mode.loss_inputs(logits, mixed)))
    assert epoch_loss(mode, criterion, logits, mixed) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_shares_of_one_class_cost_what_its_index_costs(smoothing: float) -> None:
    """With class weights too: torch's own loss of shares is not divided by the weights."""
    target, logits = samples("multiclass")
    mode, index = MODES["multiclass"], torch.from_numpy(target)
    criterion = cross_entropy(mode, target, [10.0, 20.0, 30.0], smoothing)
    expected = float(criterion(logits, index))
    assert float(criterion(logits, mode.soft(index))) == pytest.approx(expected, rel=1e-6)
    tenfold = cross_entropy(mode, target, [1.0, 2.0, 3.0], smoothing)
    assert float(tenfold(logits, mode.soft(index))) == pytest.approx(expected, rel=1e-6)


def test_sums_of_an_earlier_version_resume() -> None:
    saved = {"values": [[20.0, 3.0, 8.0, 10.0], [10.0, 4.0, 8.0, 10.0]], "seconds": 2.0}
    assert share(saved, 0, 2) == ([20.0, 3.0, 8.0, 10.0, 10.0], 2.0)
    [values, seconds] = share(saved, 0, 1)
    sums = EpochSums(torch.device("cpu"), values, seconds)
    sums.pause()
    found = sums.metrics(sums.values(), sums.seconds)
    assert found["train/loss"] == 1.5
    assert found["train/accuracy"] == 7 / 16
