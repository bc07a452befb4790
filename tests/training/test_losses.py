"""Losses, weights, samplers and mixing, in every label mode, beside references."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from support.commands import QUICK, Sightline
from torch import Tensor, nn
from torchvision.transforms.v2 import CutMix, MixUp

from sightline.data.loading.augmentation import mix_batch
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.label_modes.binary import Binary
from sightline.label_modes.multiclass import Multiclass
from sightline.label_modes.multilabel import Multilabel
from sightline.training.losses.asymmetric import asymmetric
from sightline.training.losses.cross_entropy import cross_entropy
from sightline.training.losses.focal import focal

NAMES = ("a", "b", "c")
MODES: dict[str, LabelMode] = {
    "binary": Binary(("no", "yes"), None),
    "multiclass": Multiclass(NAMES),
    "multilabel": Multilabel(NAMES),
}


def targets(name: str, count: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    if name == "binary":
        return (rng.random(count) < 0.2).astype(np.int64)
    if name == "multiclass":
        return rng.choice(3, count, p=[0.7, 0.2, 0.1])
    return (rng.random((count, 3)) < [0.5, 0.2, 0.1]).astype(np.int8)


def logits(name: str, count: int = 60) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, MODES[name].num_outputs, generator=generator)


def loss_of(criterion: nn.Module, name: str, target: np.ndarray) -> float:
    inputs = MODES[name].loss_inputs(logits(name, len(target)), torch.from_numpy(target))
    return float(criterion(*inputs))


def sigmoid_reference(
    x: Tensor, y: Tensor, pos_weight: Tensor | float = 1.0, smoothing: float = 0.0
) -> float:
    y = y.double() * (1 - smoothing) + smoothing / 2
    p = x.double().sigmoid()
    return float(-(pos_weight * y * p.log() + (1 - y) * (1 - p).log()).mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("balanced", [False, True])
def test_cross_entropy_is_the_textbooks(smoothing: float, balanced: bool) -> None:
    weights = "balanced" if balanced else None
    for name in ("binary", "multilabel"):
        target = targets(name)
        positives = (target == 1).sum(axis=0)
        ratio = torch.from_numpy(np.asarray((len(target) - positives) / positives))
        x = logits(name).squeeze(1) if name == "binary" else logits(name)
        expected = sigmoid_reference(
            x, torch.from_numpy(target), ratio if balanced else 1.0, smoothing
        )
        criterion = cross_entropy(MODES[name], target, weights, smoothing)  # type: ignore[arg-type]
        assert loss_of(criterion, name, target) == pytest.approx(expected, rel=1e-5)
    target = targets("multiclass")
    criterion = cross_entropy(MODES["multiclass"], target, weights, smoothing)  # type: ignore[arg-type]
    by_sklearn = compute_class_weight("balanced", classes=np.arange(3), y=target)
    weight = torch.tensor(by_sklearn, dtype=torch.float32) if balanced else None
    reference = nn.functional.cross_entropy(
        logits("multiclass"), torch.from_numpy(target), weight, label_smoothing=smoothing
    )
    assert loss_of(criterion, "multiclass", target) == pytest.approx(float(reference), rel=1e-6)


def test_weights_as_given_and_by_themselves(caplog: pytest.LogCaptureFixture) -> None:
    target = targets("multiclass")
    criterion = cross_entropy(MODES["multiclass"], target, [1.0, 2.0, 3.0], 0.0)
    assert isinstance(criterion, nn.CrossEntropyLoss)
    assert criterion.weight is not None
    assert criterion.weight.tolist() == [1, 2, 3]
    given = cross_entropy(MODES["binary"], targets("binary"), [1.0, 4.0], 0.0)
    assert float(given.pos_weight) == 4.0  # type: ignore[arg-type]
    skewed = cross_entropy(MODES["multiclass"], target, "auto", 0.0)
    assert isinstance(skewed, nn.CrossEntropyLoss)
    assert skewed.weight is not None
    even = cross_entropy(MODES["multiclass"], np.arange(60) % 3, "auto", 0.0)
    assert isinstance(even, nn.CrossEntropyLoss)
    assert even.weight is None
    with pytest.raises(UserError, match="expected 3 numbers over 0"):
        cross_entropy(MODES["multiclass"], target, [1.0, 2.0], 0.0)


@pytest.mark.parametrize("name", MODES)
def test_focal_without_focus_is_cross_entropy(name: str) -> None:
    target = targets(name)
    plain = loss_of(cross_entropy(MODES[name], target, None, 0.0), name, target)
    assert loss_of(focal(MODES[name], 0.0), name, target) == pytest.approx(plain, rel=1e-5)
    assert loss_of(focal(MODES[name], 2.0), name, target) < plain


def test_asymmetric_without_asymmetry_is_cross_entropy() -> None:
    target = targets("multilabel")
    plain = loss_of(cross_entropy(MODES["multilabel"], target, None, 0.0), "multilabel", target)
    same = asymmetric(MODES["multilabel"], 0.0, 0.0, 0.0)
    assert loss_of(same, "multilabel", target) == pytest.approx(plain, rel=1e-5)


def test_unknown_labels_have_no_part_in_any_loss() -> None:
    """Losses over partly known targets are those over the known ones alone, gradients too."""
    mode = MODES["multilabel"]
    target = targets("multilabel")
    hidden = np.random.default_rng(2).random(target.shape) < 0.3
    masked = np.where(hidden, -1, target).astype(np.int8)
    for criterion in (
        cross_entropy(mode, masked, None, 0.0),
        focal(mode, 2.0),
        asymmetric(mode, 4.0, 1.0, 0.05),
    ):
        x = logits("multilabel").requires_grad_()
        loss = criterion(*mode.loss_inputs(x, torch.from_numpy(masked)))
        loss.backward()
        assert x.grad is not None
        assert (x.grad[torch.from_numpy(hidden)] == 0).all()
        assert (x.grad[torch.from_numpy(~hidden)] != 0).any()
    expected = sigmoid_reference(
        logits("multilabel")[torch.from_numpy(~hidden)], torch.from_numpy(target[~hidden])
    )
    plain = loss_of(cross_entropy(mode, masked, None, 0.0), "multilabel", masked)
    assert plain == pytest.approx(expected, rel=1e-5)


def test_a_loss_is_refused_where_it_does_not_apply() -> None:
    for name in ("binary", "multiclass"):
        with pytest.raises(UserError, match="loss=asymmetric is for label_mode=multilabel"):
            asymmetric(MODES[name], 4.0, 1.0, 0.05)


@pytest.mark.parametrize("name", MODES)
def test_balanced_sampling_draws_classes_equally_often(name: str) -> None:
    target = targets(name, 3000)
    weights = MODES[name].sampling_weights(target)
    if name == "multilabel":
        drawn = [weights[target[:, k] == 1].sum() / weights.sum() for k in range(3)]
        plain = [(target[:, k] == 1).mean() for k in range(3)]
        assert max(drawn) / min(drawn) < max(plain) / min(plain)
    else:
        shares = [weights[target == k].sum() for k in range(3 if name == "multiclass" else 2)]
        assert shares == pytest.approx([shares[0]] * len(shares))


@pytest.mark.parametrize("kind", [MixUp, CutMix])
@pytest.mark.parametrize("name", MODES)
def test_mixing_gives_shares_in_every_mode(name: str, kind: type[nn.Module]) -> None:
    mode = MODES[name]
    torch.manual_seed(0)
    target = torch.from_numpy(targets(name, 8))
    _, mixed = mix_batch(kind(alpha=1.0), mode, torch.rand(8, 3, 6, 6) * 255, target)
    assert mixed.is_floating_point()
    assert mixed.min() >= 0
    assert mixed.max() <= 1
    if name != "multilabel":
        assert torch.allclose(mixed.sum(dim=1), torch.ones(8))
    whole = mode.soft(target)
    assert torch.allclose(mixed.sum(dim=0), whole.sum(dim=0), atol=1e-5)  # only rolled and blended
    loss = mode.criterion(None, 0.0)(*mode.loss_inputs(logits(name, 8), mixed))
    assert math.isfinite(float(loss))


def test_mixing_keeps_unknown_labels_unknown() -> None:
    mode = MODES["multilabel"]
    target = torch.tensor([[1, -1, 0], [0, 1, 0]], dtype=torch.int8)
    _, mixed = mix_batch(MixUp(alpha=1.0), mode, torch.rand(2, 1, 4, 4), target)
    assert torch.isnan(mixed[:, 1]).all()
    assert not torch.isnan(mixed[:, [0, 2]]).any()


@pytest.mark.usefixtures("uploads_inline")
@pytest.mark.parametrize("mode", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize(
    "overrides",
    [
        ["mix=mixup_cutmix", "loss.label_smoothing=0.1"],
        ["loss=focal", "augment=strong", "data.sampler=balanced"],
        ["augment=trivialaugment", "loss.class_weights=balanced"],
    ],
    ids=["mix", "focal", "weights"],
)
def test_they_train(sightline: Sightline, mode: str, overrides: list[str]) -> None:
    small = ["data.canvases=[40,20,20]"] if mode == "multilabel" else []
    done = sightline("train", f"label_mode={mode}", *overrides, *small, *QUICK)
    assert done.status == 0, done.err
    metrics = done.run.data.metrics
    assert ("train/accuracy" in metrics) == ("mix=mixup_cutmix" not in overrides)
    assert math.isfinite(metrics["train/loss"])
