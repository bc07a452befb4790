"""`sightline evaluate ood=FOLDER`: measured, logged, and refused where images are known."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from PIL import Image
from support.commands import Sightline
from support.random_tables import make_mode
from support.runs import Trained

from sightline.errors import UserError
from sightline.evaluation.ood import _named, _scores
from sightline.evaluation.options import EvaluateOptions, check_unknown
from sightline.inference.model import LoadedModel
from sightline.models.classifier import Classifier
from sightline.models.ensemble import Ensemble
from sightline.types import PreprocessSpec

SCORES = ("msp", "max_logit", "energy", "knn", "mahalanobis", "vim")


def test_unknown_images_are_measured_and_training_images_refused(
    sightline: Sightline, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    run = trained("multiclass")
    noise = tmp_path / "noise"
    noise.mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        pixels = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(noise / f"{number}.png")
    uri = f"tracking.uri={run.store}"

    def evaluate(*words: str) -> tuple[int, str]:
        done = sightline("evaluate", f"run={run.run_id}", *words, uri, tracked=False)
        return done.status, done.out + done.err

    status, shown = evaluate(f"ood=far:{noise}", f"scores=[{','.join(SCORES)}]")
    assert status == 0, shown
    metrics = MlflowClient(run.store).get_run(run.run_id).data.metrics
    with (run.folder / "ood" / "scores.csv").open() as stream:
        rows = {row["score"]: row for row in csv.DictReader(stream)}
    assert tuple(rows) == SCORES
    for name, row in rows.items():
        assert (
            float(row["auroc"]) == metrics[f"ood_far/{name}_auroc"]
            or abs(float(row["auroc"]) - metrics[f"ood_far/{name}_auroc"]) < 1e-6
        )
    status, shown = evaluate(f"ood={run.root}")
    assert status == 1
    assert "are in the run's train, by the bytes of their files" in shown


def test_options_that_would_be_ignored_are_refused() -> None:
    known = EvaluateOptions(run="a", ood=("far:folder",), scores=("knn",))
    assert check_unknown(known, [])
    assert not check_unknown(EvaluateOptions(run="a"), [])
    for changed, data, words in (
        ({"slices": ("site",)}, [], "does not take slices"),
        ({}, ["data.root=x"], "does not take data.root=x"),
        ({"ood": (), "min_slice": 9}, [], "min_slice=9: give slices=[COLUMN]"),
        ({"ood": (), "slice_metric": "f1"}, [], "slice_metric=f1: give slices=[COLUMN]"),
        ({"ood": ()}, [], "scores=knn: give ood=FOLDER"),
        ({"run": None}, [], "needs run=RUN"),
        ({"split": "train"}, [], "compared with those of val or test"),
    ):
        given = {"run": "a", "ood": ("far:folder",), "scores": ("knn",), **changed}
        with pytest.raises(UserError, match=re.escape(words)):
            check_unknown(EvaluateOptions(**given), data)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="there is no folder none"):
        _named(["far:none"])


def test_the_energy_of_mean_probabilities_is_refused() -> None:
    spec = PreprocessSpec(2, 3, (0.5,) * 3, (0.5,) * 3)
    for how, exclusive, refused in (
        ("probs", True, True), ("logits", True, False), ("probs", False, False),
    ):  # fmt: skip
        network = Ensemble([torch.nn.Identity()], [1.0], how, exclusive, spec, [spec])
        model = LoadedModel(Classifier(network, spec), make_mode("multiclass"), spec)
        given = EvaluateOptions(run="r", ood=("far",), scores=("energy",))
        assert ("energy" in _scores(model, EvaluateOptions(run="r", ood=("far",)))) != refused
        if not refused:
            assert _scores(model, given) == ("energy",)
            continue
        with pytest.raises(UserError, match=r"mean of probabilities, whose logits have no scale"):
            _scores(model, given)
