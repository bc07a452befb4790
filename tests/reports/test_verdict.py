"""The verdict of a report, beside what hand-made tables and curves must make it say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.tables import make_mode

from sightline.label_modes.multilabel import MISSING
from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.verdict import (
    constant_answer,
    overfitting_words,
    result_words,
    verdict,
    worst_class_words,
)


def split_of(
    mode: str, names: tuple[str, ...], targets: list[object], probs: list[list[float]],
    split: str = "test", tuning: Tuning | None = None,
) -> EvaluatedSplit:  # fmt: skip
    label_mode = make_mode(mode, len(names), names)
    ids = np.array([f"{i}.png" for i in range(len(targets))])
    dtype = np.int8 if label_mode.multi_label else np.int64
    table = Predictions(ids, np.array(targets, dtype), np.array(probs, np.float32), names, mode)
    return EvaluatedSplit(split, label_mode, table, tuning or Tuning())


def evaluate(evaluated: EvaluatedSplit) -> list[str]:
    return verdict(
        evaluated, evaluate_table(evaluated.label_mode, evaluated.table, evaluated.tuning), []
    )


def test_of_binary_labels() -> None:
    # Of 60 ants 45 and of 40 bees 20 are right: 65 of 100, always ants is right 60 times.
    right, wrong = [0.9, 0.1], [0.2, 0.8]
    evaluated = split_of(
        "binary", ("ants", "bees"), [0] * 60 + [1] * 40,
        [right] * 45 + [wrong] * 15 + [[0.3, 0.7]] * 20 + [[0.6, 0.4]] * 20,
    )  # fmt: skip
    result, worst = evaluate(evaluated)
    assert result.startswith("accuracy 0.65 [0.5")
    assert "on 100 images of test; always answering ants gives 0.60" in result
    assert result.endswith("which is inside the interval")
    assert worst.startswith("worst class bees: recall 0.50 [0.3")
    assert worst.endswith("of 40 images")


def test_of_exclusive_classes() -> None:
    names = ("cat", "dog", "owl")
    eye = np.eye(3) * 0.8 + 0.1
    targets = [0] * 30 + [1] * 50 + [2] * 20
    decided = [0] * 10 + [1] * 20 + [1] * 50 + [2] * 20
    result, worst = evaluate(split_of("multiclass", names, list(targets), eye[decided].tolist()))
    assert result.startswith("accuracy 0.80 [0.7")
    assert result.endswith("always answering dog gives 0.50")
    assert worst.startswith("worst class cat: recall 0.33 [")


def test_of_several_labels_with_unknown_ones() -> None:
    # 4 known answers of each sample but the last, which has 1: 20 · 2 + 1 are known.
    targets = [[1, 0]] * 15 + [[0, 1]] * 5 + [[1, MISSING]]
    probs = [[0.9, 0.1]] * 15 + [[0.9, 0.1]] * 5 + [[0.9, 0.9]]
    evaluated = split_of("multilabel", ("cloud", "rain"), list(targets), probs)
    answer, value = constant_answer(evaluated)
    assert answer == "cloud"  # its share is 16 of 21, that of rain 5 of 20
    assert value == pytest.approx((16 + 15) / 41)
    result, worst = evaluate(evaluated)
    assert "always answering cloud gives 0.76" in result
    assert worst.startswith("worst class rain: recall 0.00")


def test_by_tuned_thresholds_the_result_is_of_their_decisions() -> None:
    evaluated = split_of(
        "binary", ("no", "yes"), [0] * 50 + [1] * 50, [[0.9, 0.1]] * 50 + [[0.7, 0.3]] * 50,
        tuning=Tuning(thresholds=(0.2,), rule="tuned"),
    )  # fmt: skip
    assert evaluate(evaluated)[0].startswith("accuracy_tuned 1.0")
    default = replace(evaluated, tuning=Tuning())
    assert evaluate(default)[0].startswith("accuracy 0.50 ")


def test_too_few_are_said_to_be_too_few() -> None:
    evaluated = split_of("binary", ("a", "b"), [0, 1], [[0.9, 0.1], [0.4, 0.6]])
    found = evaluate_table(evaluated.label_mode, evaluated.table, evaluated.tuning)
    words = result_words(evaluated, found)
    assert words is not None
    assert ("too few for an interval" in words) == ("accuracy" in found.withheld)
    assert "on 2 images of test" in words


def test_a_value_that_chose_the_checkpoint_is_named_so() -> None:
    evaluated = split_of("binary", ("a", "b"), [0, 1] * 20, [[0.9, 0.1], [0.4, 0.6]] * 20, "val")
    assert "images of val, by which the checkpoint was chosen" in evaluate(evaluated)[0]


def history(val: list[float], train: list[float]) -> list[tuple[str, int, float]]:
    points = [("val/loss", epoch, value) for epoch, value in enumerate(val)]
    return points + [("train/loss", epoch, value) for epoch, value in enumerate(train)]


def test_overfitting_is_a_rise_of_val_while_train_falls() -> None:
    val, train = [0.9, 0.6, 0.7, 0.8, 0.95, 1.1], [0.9, 0.7, 0.5, 0.4, 0.3, 0.2]
    words = overfitting_words(history(val, train))
    assert words == ("overfits from epoch 3: val/loss rises from 0.6 to 1.1 while train/loss falls")


@pytest.mark.parametrize(
    ("val", "train"),
    [
        ([0.9, 0.6, 0.7, 0.8], [0.9, 0.7, 0.5, 0.4]),  # too few epochs after the lowest
        ([0.9, 0.6, 0.7, 0.65, 0.68, 0.66, 0.64], [0.9, 0.7, 0.5, 0.4, 0.3, 0.25, 0.2]),  # no rise
        ([0.9, 0.6, 0.7, 0.8, 0.9, 1.0], [0.5, 0.5, 0.6, 0.7, 0.8, 0.9]),  # it diverges: both rise
        ([0.9], [0.9]),
        ([], []),
    ],
)
def test_nothing_is_said_of_curves_that_do_not_show_it(
    val: list[float], train: list[float]
) -> None:
    assert overfitting_words(history(val, train)) is None


def test_a_training_whose_loss_still_falls_is_named() -> None:
    words = overfitting_words(history([0.9, 0.8, 0.7], [0.9, 0.8, 0.7]))
    assert words == "val/loss was lowest in the last of 3 epochs: more epochs may lower it"


def test_several_worst_classes_and_classes_without_samples_are_not_named() -> None:
    rows = [{"class": name, "support": 10, "recall": value}
            for name, value in (("a", 0.5), ("b", 0.5), ("c", 0.9))]  # fmt: skip
    assert worst_class_words(rows) is None
    rows.append({"class": "d", "support": 0, "recall": float("nan")})
    rows[0]["recall"] = 0.4
    assert worst_class_words(rows) == "worst class a: recall 0.4000 of 10 images"
    assert worst_class_words(rows[:1]) is None
