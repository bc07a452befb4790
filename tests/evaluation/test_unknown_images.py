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

from sightline.data.cache.digests import content_digests
from sightline.data.cache.sample_digests import CONTENT, PIXELS, short
from sightline.errors import UserError
from sightline.evaluation.ood import _scores
from sightline.evaluation.ood_checks import (
    check_unknown_files,
    check_unknown_pixels,
    named_sets,
)
from sightline.evaluation.ood_outputs import MeasuredScore
from sightline.evaluation.ood_page import unknown_section
from sightline.evaluation.options import EvaluateOptions, check_unknown
from sightline.inference.model import LoadedModel
from sightline.metrics.ood_detection import detect
from sightline.metrics.ood_rule import OodRule
from sightline.models.classifier import Classifier
from sightline.models.ensemble import Ensemble
from sightline.reports.parts import Table
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
    page = (run.folder / "ood" / "report.html").read_text()
    assert f"{float(rows['knn']['auroc']):.4f}" in page
    assert "Unknown images: far" in page
    assert {each.name for each in (run.folder / "ood" / "report").iterdir()} == {
        "1_roc.png", "1_scores.png"
    }  # fmt: skip

    again = tmp_path / "test"  # saved again without losses, under a name that a split has
    again.mkdir()
    Image.open(next(run.root.rglob("*.png"))).save(again / "copy.bmp")
    (again / "damaged.png").write_bytes(b"no image")
    status, shown = evaluate(f"ood={again}")
    assert status == 1
    assert "1 of 2 images of test is in the run's" in shown
    assert "by the pixels that the model sees" in shown
    assert "copy.bmp, for one" in shown


def test_files_that_the_model_knows_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Image.new("L", (4, 4), 9 if name == "one" else 80).save(tmp_path / f"{name}.png")
    (tmp_path / "none.png").write_bytes(b"")
    sets = named_sets([f"near:{tmp_path}"])
    contents = short(content_digests(sets["near"].images))
    known = {"val": {CONTENT: contents[[1]], PIXELS: np.array([7, 0], np.uint64)}}
    with pytest.raises(UserError, match=r"1 of 3 images of near is in the run's val, by the bytes"):
        check_unknown_files("near", sets["near"], known)
    unread = np.array([0, 3, 4], np.uint64)
    check_unknown_pixels("near", sets["near"], unread, known)  # what is unreadable is not alike
    with pytest.raises(UserError, match=r"2 of 3 images of near are in .* by the pixels"):
        check_unknown_pixels("near", sets["near"], np.array([0, 7, 7], np.uint64), known)


def test_sets_have_names_and_images(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"ood={tmp_path}: there are no images in this folder"):
        named_sets([str(tmp_path)])
    with pytest.raises(UserError, match="there is no folder none"):
        named_sets(["far:none"])
    with pytest.raises(UserError, match="there is no folder "):
        named_sets(["far:"])
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    assert list(named_sets([str(tmp_path)])) == [tmp_path.name]
    with pytest.raises(UserError, match="two sets are called a; give NAME:FOLDER"):
        named_sets([f"a:{tmp_path}", f"a:{tmp_path}"])


def test_the_page_says_what_the_models_rule_does() -> None:
    rng = np.random.default_rng(0)
    known, unknown = rng.normal(size=100), rng.normal(2, size=40)
    scores = [
        MeasuredScore("far", "msp", known, unknown, detect(known, unknown)),
        MeasuredScore("far", "energy", -known, -unknown, detect(-known, -unknown)),
    ]
    section = unknown_section("1_", "test", OodRule("msp", 1.5, 0.05), scores)
    assert (
        f"are {(unknown > 1.5).mean():.1%} of them, and {(known > 1.5).mean():.1%}" in section.text
    )
    assert section.finding is not None
    assert section.finding.startswith("far: msp finds them best, AUROC ")
    table = section.parts[0]
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["msp", "energy"]
    for row, each in zip(table.rows, scores, strict=True):
        assert [cell.value for cell in row[1:]] == list(each.detection.values.values())  # type: ignore[union-attr]


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
