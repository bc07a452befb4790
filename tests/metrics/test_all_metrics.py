"""The whole set of metrics against scikit-learn, on random and degenerate tables."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk
from support.random_tables import make_mode, random_table

from sightline.label_modes.base import LabelMode
from sightline.metrics.calibration import reliability
from sightline.metrics.values import compute_all_metrics, defined
from sightline.predictions import Predictions

MODES = ["binary", "multiclass", "multilabel"]


def averages(target: np.ndarray, preds: np.ndarray, average: str) -> dict[str, float]:
    """Over the classes that the targets hold."""
    several = target.ndim == 2
    labels = np.flatnonzero((target == 1).any(axis=0)) if several else np.unique(target)
    if average == "micro":
        labels = np.arange(target.shape[1]) if several else np.unique([target, preds])
    given = {"average": average, "labels": labels, "zero_division": 0}
    return {
        f"precision_{average}": sk.precision_score(target, preds, **given),
        f"recall_{average}": sk.recall_score(target, preds, **given),
        f"f1_{average}": sk.f1_score(target, preds, **given),
    }


def ranked(target: np.ndarray, probs: np.ndarray) -> dict[str, float]:
    """Columns of 0 and 1 against scores; columns without both are left out of AUROC."""
    columns = [(t[t >= 0], p[t >= 0]) for t, p in zip(target.T, probs.T, strict=True)]
    some = [(t, p) for t, p in columns if t.any()]
    both = [(t, p) for t, p in some if not t.all()]
    found = {}
    for name, function, used in (
        ("auroc", sk.roc_auc_score, both),
        ("average_precision", sk.average_precision_score, some),
    ):
        values = [function(t, p) for t, p in used]
        if values:
            found[f"{name}_macro"] = np.mean(values)
            found[f"{name}_weighted"] = np.average(values, weights=[t.sum() for t, _ in used])
    return found


def one_class_reference(table: Predictions) -> dict[str, float]:
    target, probs = table.targets, table.probs.astype(np.float64)
    classes = probs.shape[1]
    preds = probs.argmax(axis=1) if classes > 2 else (probs[:, 1] > 0.5).astype(int)
    found = {
        "accuracy": sk.accuracy_score(target, preds),
        "balanced_accuracy": sk.balanced_accuracy_score(target, preds),
    }
    for average in ("micro", "macro", "weighted"):
        found |= averages(target, preds, average)
    if len(np.unique(target)) > 1:
        found["cohen_kappa"] = sk.cohen_kappa_score(target, preds)
        found["matthews_corrcoef"] = sk.matthews_corrcoef(target, preds)
    if table.label_mode == "binary":
        if target.any():
            found |= {
                "precision": sk.precision_score(target, preds, zero_division=0),
                "recall": sk.recall_score(target, preds),
                "f1": sk.f1_score(target, preds),
            }
        positive = ranked(target[:, None], probs[:, 1:])
        found |= {name: value for name, value in positive.items() if name.endswith("macro")}
        found["brier"] = sk.brier_score_loss(target, probs[:, 1], labels=[0, 1])
    else:
        one_hot = np.eye(classes, dtype=int)[target]
        found |= ranked(one_hot, probs)
        for k in (2, 5):
            if k < classes:
                found[f"accuracy_top{k}"] = sk.top_k_accuracy_score(
                    target, probs, k=k, labels=np.arange(classes)
                )
        found["brier"] = np.mean(((probs - one_hot) ** 2).sum(axis=1))
    found["log_loss"] = sk.log_loss(target, probs, labels=np.arange(classes))
    return found


def multilabel_reference(table: Predictions) -> dict[str, float]:
    target, probs = table.targets, table.probs.astype(np.float64)
    preds = (probs > 0.5).astype(int)
    known = target >= 0
    if not known.any():
        return {}
    flat, flat_preds, flat_probs = target[known], preds[known], probs[known]
    rows = known.any(axis=1)
    found = {
        "accuracy": sk.accuracy_score(flat, flat_preds),
        "accuracy_subset": np.mean(((preds == target) | ~known).all(axis=1)[rows]),
        "hamming_loss": 1 - sk.accuracy_score(flat, flat_preds),
        "log_loss": sk.log_loss(flat, flat_probs, labels=[0, 1]),
        "brier": np.mean((flat_probs - flat) ** 2),
        **ranked(target, probs),
    }
    if (target == 1).any():
        found["average_precision_micro"] = sk.average_precision_score(flat, flat_probs)
        # A target that is not known is neither found nor missed.
        masked = np.where(known, target, 0), np.where(known, preds, 0)
        for average in ("micro", "macro", "weighted"):
            found |= averages(*masked, average)
    each = [(t[t >= 0], p[t >= 0]) for t, p in zip(target.T, preds.T, strict=True)]
    each = [(t, p) for t, p in each if 0 < t.sum() < len(t)]
    if each:
        found |= {
            "balanced_accuracy_macro": np.mean([sk.balanced_accuracy_score(*e) for e in each]),
            "cohen_kappa_macro": np.mean([sk.cohen_kappa_score(*e) for e in each]),
            "matthews_corrcoef_macro": np.mean([sk.matthews_corrcoef(*e) for e in each]),
        }
    whole = known.all(axis=1)
    if whole.any():
        found |= {
            "coverage_error": sk.coverage_error(target[whole], probs[whole]),
            "ranking_average_precision": sk.label_ranking_average_precision_score(
                target[whole], probs[whole]
            ),
            "ranking_loss": sk.label_ranking_loss(target[whole], probs[whole]),
        }
    return found


def selective_reference(table: Predictions) -> dict[str, float]:
    """Each answer with all that are as sure; the surest, in random orders of what is tied."""
    probs, target = table.probs.astype(np.float64), table.targets
    if table.label_mode == "multilabel":
        known = target >= 0
        sure, right = np.maximum(probs, 1 - probs)[known], ((probs > 0.5) == target)[known]
    else:
        sure, right = probs.max(axis=1), probs.argmax(axis=1) == target
    if not len(sure):
        return {}
    found = {"aurc": np.mean([1 - right[sure >= each].mean() for each in sure])}
    for percent in (80, 90, 95):
        number = int(np.ceil(percent * len(sure) / 100))
        cut = np.sort(sure)[-number]
        over, tied = sure > cut, sure == cut
        hits = right[over].sum() + (number - over.sum()) * right[tied].mean()
        found[f"accuracy_coverage{percent}"] = hits / number
    return found


def all_reference(table: Predictions) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = table.label_mode != "multilabel"
        found = one_class_reference(table) if one else multilabel_reference(table)
        return found | selective_reference(table)


def degenerate(mode: LabelMode, kind: str) -> Predictions:
    table = random_table(mode, 60, seed=3)
    targets, probs = table.targets.copy(), table.probs.copy()
    if kind == "one class":
        targets[:] = 0
        if targets.ndim == 2:
            targets[:, 1] = 1
    elif kind == "the other class":
        targets[:] = 1
    elif kind == "all tied":
        probs[:] = 0.5 if mode.name != "multiclass" else 0.2
    elif kind == "all certain":
        probs[:] = np.round(probs)
        if mode.name == "multiclass":
            probs[:] = np.eye(5)[table.probs.argmax(axis=1)]
    elif kind == "absent classes":
        targets[targets == 3] = 0
        if targets.ndim == 2:
            targets[:, 3] = 0
    elif kind == "one sample":
        return replace(table, ids=table.ids[:1], targets=targets[:1], probs=probs[:1])
    elif kind == "no labels":
        targets[:] = 0
    elif kind == "masked":
        targets[np.random.default_rng(1).random(targets.shape) < 0.4] = -1
        targets[3] = -1
    elif kind == "all masked":
        targets[:] = -1
    return replace(table, targets=targets, probs=probs)


KINDS = [
    "random", "one class", "the other class", "all tied", "all certain", "absent classes",
    "one sample",
]  # fmt: skip
CASES = [(name, kind) for name in MODES for kind in KINDS]
CASES += [("multilabel", kind) for kind in ("no labels", "masked", "all masked")]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_metric_equals_scikit_learn_or_is_named_as_undefined(name: str, kind: str) -> None:
    mode = make_mode(name)
    table = random_table(mode, 500) if kind == "random" else degenerate(mode, kind)
    every = compute_all_metrics(mode, table)
    ours, theirs = defined(every), all_reference(table)
    assert {key for key in ours if not key.startswith("ece")} == set(theirs)
    for key, value in theirs.items():
        assert ours[key] == pytest.approx(value, abs=1e-6), key
    undefined = set(every) - set(ours)
    assert undefined == set(compute_all_metrics(mode, random_table(mode, 500))) - set(ours)


def test_top_k_with_more_classes_than_k() -> None:
    mode = make_mode("multiclass", 8)
    table = random_table(mode, 200)
    ours, theirs = compute_all_metrics(mode, table), all_reference(table)
    assert ours["accuracy_top5"] == pytest.approx(theirs["accuracy_top5"])


@pytest.mark.parametrize("name", MODES)
def test_calibration_error_is_what_the_reliability_diagram_shows(name: str) -> None:
    mode = make_mode(name)
    table = random_table(mode, 400)
    diagram = reliability(mode, table)
    gap = np.nan_to_num(np.abs(diagram.confidence - diagram.accuracy))
    by_hand = (gap * diagram.count).sum() / diagram.count.sum()
    assert compute_all_metrics(mode, table)["ece"] == pytest.approx(by_hand, abs=1e-6)
    assert diagram.count.sum() == 400 * (5 if name == "multilabel" else 1)
