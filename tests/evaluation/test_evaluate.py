"""`sightline evaluate`: what training stored, other data, slices, corruptions, and refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image
from sklearn.metrics import accuracy_score
from support.commands import Done, Sightline
from support.random_tables import make_mode
from support.runs import MODES, Trained

from sightline.data.reading.images import ArrayImages
from sightline.data.source_data import SourceData, take
from sightline.errors import UserError
from sightline.evaluation.samples import match_classes
from sightline.predictions import Predictions
from sightline.runs.folder import RunFolder

Train = Callable[[str], Trained]


def evaluate(sightline: Sightline, run: Trained, *words: str, status: int = 0) -> Done:
    which = [] if any(word.startswith("run=") for word in words) else [f"run={run.run_id}"]
    words = words if "report=true" in words else (*words, "report=false")
    patient = ["tracking.start_timeout_s=120", "tracking.flush_timeout_s=120"]
    words = (*which, *words, *patient, f"tracking.uri={run.store}")
    done = sightline("evaluate", *words, tracked=False)
    assert done.status == status, done.out + done.err
    assert "Traceback" not in done.err
    return done


def logged(run: Trained) -> Run:
    return MlflowClient(run.store).get_run(run.run_id)


@pytest.mark.parametrize("mode", MODES)
def test_the_model_finds_again_what_training_stored(
    sightline: Sightline, trained: Train, mode: str
) -> None:
    run = trained(mode)
    before, stored = logged(run), Predictions.read(run.folder / "predictions/test.parquet")
    evaluate(sightline, run, "predict_again=true", "data.num_workers=0")
    again = Predictions.read(run.folder / "predictions/test.parquet")
    np.testing.assert_array_equal(again.ids, stored.ids)
    np.testing.assert_array_equal(again.targets, stored.targets)
    np.testing.assert_allclose(again.probs, stored.probs, atol=1e-6)
    after = logged(run)
    for key, value in before.data.metrics.items():
        assert after.data.metrics[key] == pytest.approx(value, abs=1e-6), key
    assert after.info.status == "FINISHED"
    looks = int(before.data.tags["test.looks"])
    assert after.data.tags["test.looks"] == str(looks + 1)


def test_stored_predictions_do_without_the_images(
    sightline: Sightline, trained: Train, tmp_path: Path
) -> None:
    run = trained("multilabel")
    hidden = tmp_path / "hidden"
    run.root.rename(hidden)
    try:
        done = evaluate(sightline, run, "slices=[site]", "min_slice=20")
    finally:
        hidden.rename(run.root)
    assert "the stored predictions of test" in done.out
    record = json.loads((run.folder / "slices/test_site.json").read_text())
    table = Predictions.read(run.folder / "predictions/test.parquet")
    assert set(record["slices"]) == {"north", "south", "(missing)"} - set(record["small"])
    thresholds = json.loads((run.folder / "metrics/test.json").read_text())["tuning"]
    values = {}
    for site, each in record["slices"].items():
        rows = table.metadata["site"] == site.replace("(missing)", "")
        assert each["samples"] == rows.sum()
        accuracy = accuracy_score(
            table.targets[rows].ravel(), (table.probs[rows] > 0.5).astype(int).ravel()
        )
        assert each["metrics"]["accuracy"]["value"] == pytest.approx(accuracy)
        values[site] = each["metrics"][record["metric"]]["value"]
    assert thresholds["aim"] == "f1"
    assert record["metric"] == "accuracy" + ("_tuned" if thresholds["rule"] == "tuned" else "")
    rows = pd.read_csv(run.folder / "slices/test_site.csv")
    worse = rows[rows["difference_to_rest_high"] < 0]["value"].tolist()
    assert record["worst"] == min(worse, key=lambda site: values[site], default=None)
    assert ("← the worst" in done.out) == bool(worse)
    assert ("no slice is worse than the rest" in done.out) == (not worse)
    assert {"value", "samples", "f1_macro", "f1_macro_low"} <= set(rows.columns)
    problem = evaluate(sightline, run, "slices=[sit]", status=1).err
    assert "did you mean 'site'" in problem.lower()


def other_images(root: Path, names: tuple[str, ...], count: int = 12) -> Path:
    rng = np.random.default_rng(5)
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 255, (30, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def test_other_data_is_matched_by_class_name_and_kept_apart(
    sightline: Sightline, trained: Train, tmp_path: Path
) -> None:
    run = trained("multiclass")
    before = logged(run).data
    root = other_images(tmp_path / "new site", ("cat", "dog"))
    words = ["data=folder", f"data.root='{root}'", "data.num_workers=0"]
    done = evaluate(sightline, run, *words)
    assert "has no class bird" in done.out
    table = Predictions.read(run.folder / "predictions/new_site.parquet")
    assert table.class_names == ("bird", "cat", "dog")
    assert sorted(set(table.targets.tolist())) == [1, 2]
    after = logged(run).data
    assert after.metrics["new_site/accuracy"] == pytest.approx(
        accuracy_score(table.targets, table.probs.argmax(axis=1))
    )
    assert {k: v for k, v in after.metrics.items() if not k.startswith("new_site")} == (
        before.metrics
    )
    assert after.tags["test.looks"] == before.tags["test.looks"]
    record = json.loads((run.folder / "metrics/new_site.json").read_text())
    assert record["absent_classes"] == ["bird"]

    (root / "dog" / "0.png").unlink()
    problem = evaluate(sightline, run, *words, status=1).err
    assert "already has results of other data" in problem
    assert (
        "reserved for the run's own data"
        in evaluate(sightline, run, *words, "name=test", status=1).err
    )
    other_images(root, ("cats",))
    problem = evaluate(sightline, run, *words, "name=third", status=1).err
    assert "'cats'" in problem
    assert "Did you mean 'cat'" in problem
    assert not (run.folder / "predictions/third.parquet").exists()


def test_changed_images_are_not_the_runs_own(
    sightline: Sightline, trained: Train, tmp_path: Path
) -> None:
    run = trained("multiclass")
    root = shutil.copytree(run.root, tmp_path / "moved")
    evaluate(sightline, run, f"data.root={root}", "split=val", "data.num_workers=0")
    picture = next((root / "val/cat").iterdir())
    Image.new("RGB", (30, 30)).save(picture)
    before = RunFolder(run.folder).upload.journal.read_bytes()
    problem = evaluate(sightline, run, f"data.root={root}", "split=val", status=1).err
    assert "differs from what the run had" in problem
    assert RunFolder(run.folder).upload.journal.read_bytes() == before


def test_corruptions_and_averaged_views(sightline: Sightline, trained: Train) -> None:
    run = trained("multiclass")
    assert "never mirrored" in evaluate(sightline, run, "tta=flip", status=1).err
    words = ["tta=shift", "robustness=true", "split=val", "data.num_workers=0"]
    evaluate(sightline, run, *words, "report=true")
    assert "val_tta, 75 samples" in (run.folder / "val_tta" / "report.html").read_text()
    metrics = logged(run).data.metrics
    assert metrics["val_best_tta/accuracy"] == pytest.approx(metrics["val_best/accuracy"], abs=0.2)
    rows = pd.read_csv(run.folder / "robustness/val_tta.csv")
    assert len(rows) == 15 * 6
    history = MlflowClient(run.store).get_metric_history(
        run.run_id, "val_best_tta_robustness/gaussian_noise"
    )
    assert [point.step for point in history] == [0, 1, 2, 3, 4, 5]
    noisy = rows[rows.corruption == "gaussian_noise"].accuracy
    assert [point.value for point in history] == pytest.approx(noisy.tolist(), abs=1e-5)
    assert (run.folder / "robustness/val_tta.png").is_file()


def test_a_checkpoint_alone_is_evaluated_in_a_run_of_its_own(
    sightline: Sightline, trained: Train, tmp_path: Path
) -> None:
    run = trained("binary")
    alone = shutil.copy(run.checkpoint, tmp_path / "model.ckpt")
    evaluate(sightline, run, f"run={alone}", "split=val", "data.num_workers=0")
    client = MlflowClient(run.store)
    [made] = client.search_runs(["1"], "tags.kind = 'evaluation'")
    assert made.data.tags["evaluates"] == str(alone)
    assert made.info.status == "FINISHED"
    expected = client.get_run(run.run_id).data.metrics
    for key in ("accuracy", "f1_tuned", "ece_calibrated", "auroc_macro"):
        assert made.data.metrics[f"val_best/{key}"] == pytest.approx(expected[f"val_best/{key}"])


def test_a_run_whose_folder_is_elsewhere_is_still_told(
    sightline: Sightline, trained: Train, tmp_path: Path
) -> None:
    run = trained("binary")
    hidden = run.folder.rename(tmp_path / "elsewhere")
    try:
        looks = int(logged(run).data.tags["test.looks"])
        evaluate(sightline, run)
    finally:
        hidden.rename(run.folder)
    assert logged(run).data.tags["test.looks"] == str(looks + 1)
    assert RunFolder(Path("evaluations") / run.run_id).upload.journal.is_file()


def test_what_cannot_be_evaluated_is_refused(
    sightline: Sightline, trained: Train, tmp_path: Path
) -> None:
    run = trained("multiclass")
    cases = {
        ("run=0123456789abcdef0123456789abcdef",): "no run with this id",
        ("slice=[site]",): "did you mean 'slices'",
        ("model.name=resnet18",): "says which model is evaluated",
        ("data.bits=12",): "images are prepared as in the training",
        ("data.rot=x",): "did you mean 'data.root'",
        ("split=tset",): "split: expected",
        ("data=folder", f"data.root={tmp_path}/nowhere"): "not there",
        ("slices=[site]",): "no such column",
    }
    for words, expected in cases.items():
        done = evaluate(sightline, run, *words, status=1)
        assert expected in done.err.lower() or expected in done.err, done.err
    (tmp_path / "empty").mkdir()
    done = evaluate(sightline, run, "data=folder", f"data.root={tmp_path}/empty", status=1)
    assert "no class folders" in done.err


def test_classes_of_other_data_never_shift_ids() -> None:
    images = ArrayImages(np.zeros((3, 4, 4), np.uint8))
    mode = make_mode("multiclass", 4)
    targets = np.array([0, 1, 1])
    source = SourceData("s", "there", ("c3", "c0"), {"test": take(list("abc"), targets, images)})
    np.testing.assert_array_equal(match_classes(source, targets, mode), [3, 0, 0])
    several = make_mode("multilabel", 3)
    rows = np.array([[1, 0], [0, 1], [-1, 0]], np.int8)
    source = SourceData("s", "there", ("c2", "c1"), {"test": take(list("abc"), rows, images)})
    expected = [[-1, 0, 1], [-1, 1, 0], [-1, 0, -1]]
    np.testing.assert_array_equal(match_classes(source, rows, several), expected)
    strange = SourceData("s", "there", ("c1", "c8"), {})
    with pytest.raises(UserError, match="samples of 'c8'"):
        match_classes(strange, targets, mode)
