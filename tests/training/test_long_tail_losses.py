"""Losses for mixed targets, wrong labels and unequal classes, beside timm and the papers."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import timm.loss
import torch
from torch import Tensor, nn

from sightline.config.components import build
from sightline.config.legacy import as_of_now
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.label_modes.binary import Binary
from sightline.label_modes.multiclass import Multiclass
from sightline.label_modes.multilabel import Multilabel
from sightline.training.losses.bce import bce
from sightline.training.losses.class_weights import EffectiveNumber, make_weights
from sightline.training.losses.cross_entropy import cross_entropy
from sightline.training.losses.focal import focal
from sightline.training.losses.generalized_cross_entropy import generalized_cross_entropy
from sightline.training.losses.logit_adjustment import logit_adjustment
from sightline.training.prior_shift import prior_shift

NAMES = ("a", "b", "c")
MODES: dict[str, LabelMode] = {
    "binary": Binary(("no", "yes"), None),
    "multiclass": Multiclass(NAMES),
    "multilabel": Multilabel(NAMES),
}
TARGETS = {
    "binary": (np.random.default_rng(0).random(60) < 0.2).astype(np.int64),
    "multiclass": np.random.default_rng(0).choice(3, 60, p=[0.7, 0.2, 0.1]),
    "multilabel": (np.random.default_rng(0).random((60, 3)) < [0.5, 0.2, 0.1]).astype(np.int8),
}


def inputs(name: str) -> tuple[Tensor, Tensor]:
    outputs = torch.randn(60, MODES[name].num_outputs, generator=torch.Generator().manual_seed(1))
    return MODES[name].loss_inputs(outputs, torch.from_numpy(TARGETS[name]))


def shares() -> Tensor:
    return torch.rand(60, 3, generator=torch.Generator().manual_seed(2)).softmax(dim=1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_bce_of_classes_is_timms(smoothing: float) -> None:
    logits, target = inputs("multiclass")
    ours = bce(MODES["multiclass"], TARGETS["multiclass"], None, smoothing)
    theirs = timm.loss.BinaryCrossEntropy(smoothing=smoothing)
    assert ours(logits, target) == pytest.approx(float(theirs(logits, target)), rel=1e-6)


@pytest.mark.parametrize("threshold", [None, 0.2])
def test_bce_of_mixed_targets_is_timms(threshold: float | None) -> None:
    logits, _ = inputs("multiclass")
    ours = bce(MODES["multiclass"], TARGETS["multiclass"], None, 0.0, threshold)
    theirs = timm.loss.BinaryCrossEntropy(smoothing=0.0, target_threshold=threshold)
    assert ours(logits, shares()) == pytest.approx(float(theirs(logits, shares())), rel=1e-6)


def test_a_threshold_leaves_unknown_labels_unknown() -> None:
    logits, target = inputs("multilabel")
    mixed = torch.where(target > 0, 0.3, 0.1)
    mixed[0] = torch.nan
    ours = bce(MODES["multilabel"], TARGETS["multilabel"], None, 0.0, 0.2)
    expected = nn.functional.binary_cross_entropy_with_logits(logits[1:], target[1:])
    assert ours(logits, mixed) == pytest.approx(float(expected), rel=1e-6)


def test_bce_of_classes_takes_no_weights() -> None:
    with pytest.raises(UserError, match="takes no weights for label_mode=multiclass"):
        bce(MODES["multiclass"], TARGETS["multiclass"], "balanced", 0.0)


@pytest.mark.parametrize("name", MODES)
def test_generalised_cross_entropy_is_the_papers(name: str) -> None:
    """Between cross-entropy (q to 0) and the mean absolute error of the probability (q = 1)."""
    logits, target = inputs(name)
    if name == "multiclass":
        given = logits.double().softmax(dim=1).gather(1, target[:, None])
    else:
        yes = logits.double().sigmoid()
        given = torch.where(target > 0.5, yes, 1 - yes)
    for q in (0.3, 0.7, 1.0):
        reached = generalized_cross_entropy(MODES[name], q)(logits, target)
        assert reached == pytest.approx(float(((1 - given**q) / q).mean()), rel=1e-5)
    near = generalized_cross_entropy(MODES[name], 1e-4)(logits, target)
    assert near == pytest.approx(float(-given.log().mean()), rel=1e-3)


@pytest.mark.parametrize("name", MODES)
def test_logit_adjustment_undoes_the_classes_shares(name: str) -> None:
    """A model that knows the shares alone needs no logits; calibration knows what is added."""
    mode, target = MODES[name], TARGETS[name]
    criterion = logit_adjustment(mode, target, 1.0, 0.0)
    prior = torch.from_numpy(mode.prior_logits(target)).float()
    bias = torch.zeros(mode.num_outputs, requires_grad=True)
    optimizer = torch.optim.LBFGS([bias], max_iter=100)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value: Tensor = criterion(*mode.loss_inputs(bias.expand(60, -1), torch.from_numpy(target)))
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    reached = bias.detach() - (bias.detach().mean() if mode.exclusive else 0)
    assert reached.abs().max() < 0.15  # half a sample is added to the shares, not to the loss
    shift = prior_shift(mode, criterion, target, "shuffle")
    expected = -(prior - (prior.mean() if mode.exclusive else 0))
    assert shift == pytest.approx(expected.numpy(), abs=1e-6)


def test_balanced_softmax_is_logit_adjustment_of_1() -> None:
    """Ren et al. 2020: the softmax of counts times exponentials."""
    logits, target = inputs("multiclass")
    counts = torch.from_numpy(np.bincount(TARGETS["multiclass"]) + 0.5)
    weighted = counts * logits.double().exp()
    probs = weighted / weighted.sum(dim=1, keepdim=True)
    reference = -probs.gather(1, target[:, None]).log().mean()
    ours = logit_adjustment(MODES["multiclass"], TARGETS["multiclass"], 1.0, 0.0)
    assert ours(logits, target) == pytest.approx(float(reference), rel=1e-6)


@pytest.mark.parametrize("name", MODES)
def test_effective_numbers_are_the_papers(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Near 1 they are counts, so weights are balanced; the paper's formula in between."""
    mode, target = MODES[name], TARGETS[name]
    balanced = make_weights(mode, target, "balanced")
    with caplog.at_level(logging.INFO):
        near = make_weights(mode, target, EffectiveNumber(effective=1 - 1e-9))
    assert balanced is not None
    assert near is not None
    assert torch.allclose(near, balanced, rtol=1e-4)
    assert "weights:" in caplog.text
    between = make_weights(mode, target, EffectiveNumber(effective=0.9))
    assert between is not None
    if name == "multiclass":
        effective = (1 - 0.9 ** np.bincount(target)) / (1 - 0.9)
        expected = (1 / effective) / (1 / effective).sum()
        assert (between / between.sum()).numpy() == pytest.approx(expected, rel=1e-6)
    else:
        present = (target == 1).sum(axis=0)
        expected = (1 - 0.9 ** (60 - present)) / (1 - 0.9**present)
        assert between.numpy() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", MODES)
def test_focal_smooths_targets_as_cross_entropy_does(name: str) -> None:
    logits, target = inputs(name)
    plain = cross_entropy(MODES[name], TARGETS[name], None, 0.1)(logits, target)
    assert focal(MODES[name], 0.0, 0.1)(logits, target) == pytest.approx(float(plain), rel=1e-5)


@pytest.mark.parametrize("name", ["cross_entropy", "bce", "focal", "asymmetric"])
def test_losses_of_stored_configs_have_their_present_names(name: str) -> None:
    node = {"_target_": f"sightline.training.losses.{name}"}
    moved = as_of_now({"loss": node})["loss"]["_target_"]
    assert moved == f"sightline.training.losses.{name}.{name}"


def test_streamed_classes_are_not_counted() -> None:
    for target in ("logit_adjustment", "cross_entropy"):
        node = {"_target_": f"sightline.training.losses.{target}.{target}", "label_smoothing": 0.0}
        node |= {"tau": 1.0} if target == "logit_adjustment" else {"class_weights": "balanced"}
        with pytest.raises(UserError, match="the data is read in sequence"):
            build(node, "loss", [], offered={"label_mode": MODES["binary"], "train_targets": None})
