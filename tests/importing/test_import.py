"""`sightline import`: a table of another program is a run, which is compared with a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from mlflow import MlflowClient
from mlflow.entities import Run
from support.commands import Done, Sightline
from support.runs import MODES, Trained

from sightline.predictions import Predictions

Train = Callable[[str], Trained]


def data_of(run: Trained) -> list[str]:
    if (run.root / "labels.csv").exists():
        return ["data=manifest", f"data.path={run.root}/labels.csv", "data.split_column=split"]
    return ["data=folder", f"data.root={run.root}"]


def imported(
    sightline: Sightline, run: Trained, mode: str, file: Path, *words: str, status: int = 0
) -> Done:
    words = (f"predictions={file}", *data_of(run), f"label_mode={mode}", *words)
    patient = ["tracking.start_timeout_s=120", "tracking.flush_timeout_s=120"]
    done = sightline("import", *words, *patient, f"tracking.uri={run.store}", tracked=False)
    assert done.status == status, done.out + done.err
    assert "Traceback" not in done.err
    return done


def write(run: Trained, file: Path, split: str = "test") -> Predictions:
    """Another model's probabilities of a run's samples, in another order; as they were meant."""
    own = Predictions.read(run.folder / f"predictions/{split}.parquet")
    rng = np.random.default_rng(0)
    probs = rng.random(own.probs.shape)
    if own.targets.ndim == 1:
        probs /= probs.sum(axis=1, keepdims=True)
    columns = {f"prob_{name}": probs[:, i] for i, name in enumerate(own.class_names)}
    frame = pd.DataFrame({"file": own.ids, **columns})
    if own.targets.ndim == 1:
        frame["target"] = np.array(own.class_names)[own.targets]
    frame.sample(frac=1, random_state=0).to_csv(file, index=False)
    return Predictions(own.ids, own.targets, probs, own.class_names, own.label_mode)


def newest(run: Trained) -> Run:
    found = MlflowClient(run.store).search_runs(["1"], order_by=["attributes.start_time DESC"])
    assert found[0].data.tags["kind"] == "import"
    return found[0]


def expected(table: Predictions) -> dict[str, float]:
    """By scikit-learn."""
    truth, probs = table.targets, table.probs
    if truth.ndim == 2:
        return {
            "auroc_macro": sklearn.metrics.roc_auc_score(truth, probs, average="macro"),
            "f1_macro": sklearn.metrics.f1_score(truth, probs > 0.5, average="macro"),
        }
    found = {
        "accuracy": sklearn.metrics.accuracy_score(truth, probs.argmax(axis=1)),
        "log_loss": sklearn.metrics.log_loss(truth, probs),
        "loss": sklearn.metrics.log_loss(truth, probs),
    }
    if probs.shape[1] == 2:
        return found | {"auroc_macro": sklearn.metrics.roc_auc_score(truth, probs[:, 1])}
    return found | {"auroc_macro": sklearn.metrics.roc_auc_score(truth, probs, multi_class="ovr")}


@pytest.mark.parametrize("mode", MODES)
def test_a_table_becomes_a_run_that_is_tested_against_trainings(
    sightline: Sightline, trained: Train, tmp_path: Path, mode: str
) -> None:
    run, file = trained(mode), tmp_path / "theirs.csv"
    table = write(run, file)
    imported(sightline, run, mode, file, "name=theirs", "report=false")
    logged = newest(run)
    own = MlflowClient(run.store).get_run(run.run_id)
    for name, value in expected(table).items():
        assert logged.data.metrics[f"test/{name}"] == pytest.approx(value, abs=1e-6), name
    for key in ("label_mode", "data.classes", "data.digest.train", "data.digest.test"):
        assert logged.data.params[key] == own.data.params[key], key
    out = tmp_path / "compared"
    done = sightline("compare", f"runs=[{run.run_id},{logged.info.run_id}]", "split=test",
                     f"tracking.uri={run.store}", f"output={out}", tracked=False)  # fmt: skip
    assert done.status == 0, done.err
    assert "Imported: 'theirs'" in done.out.replace("\n", " ")
    assert ",theirs (imported)," in (out / "leaderboard.csv").read_text()
    assert pd.read_csv(out / "tests.csv")["p"].between(0, 1).all()


def test_several_splits_and_the_report(
    sightline: Sightline, trained: Train, tmp_path: Path
) -> None:
    run, files = trained("multiclass"), [tmp_path / "test.csv", tmp_path / "val.csv"]
    tables = [write(run, files[0]), write(run, files[1], "val")]
    both = tmp_path / "both.parquet"
    pd.concat(map(pd.read_csv, files)).to_parquet(both)
    name = "name=timm train.py"
    imported(sightline, run, "multiclass", both, name, "split=[val,test]", "seed=3")
    logged = newest(run)
    folder = Path(logged.data.tags["run_folder"])
    for split, table in zip(("test", "val_best"), tables, strict=True):
        accuracy = sklearn.metrics.accuracy_score(table.targets, table.probs.argmax(axis=1))
        assert logged.data.metrics[f"{split}/accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert logged.data.params["seed"] == "3"
    assert "Imported predictions on test" in (folder / "report.html").read_text()
    shown = sightline("show", str(folder), tracked=False).out
    assert "FINISHED, imported" in shown
    assert "timm train.py" in shown
    assert "imported" in sightline("runs", str(folder.parent), tracked=False).out
    for words in (["evaluate", f"run={folder}"], ["reproduce", f"run={folder}"],
                  ["train", f"resume={folder}"]):  # fmt: skip
        done = sightline(*words, tracked=False)
        assert done.status == 1
        assert "was imported" in done.err


def test_one_table_twice_is_no_second_seed(
    sightline: Sightline, trained: Train, tmp_path: Path
) -> None:
    run, file = trained("multiclass"), tmp_path / "theirs.csv"
    write(run, file)
    groups = []
    for _ in range(2):
        imported(sightline, run, "multiclass", file, "name=again", "report=false")
        groups.append(newest(run))
    assert groups[0].data.tags["group.digest"] == groups[1].data.tags["group.digest"]
    out = tmp_path / "compared"
    names = ",".join(each.info.run_id for each in (*groups, MlflowClient(run.store).get_run(
        run.run_id)))  # fmt: skip
    done = sightline("compare", f"runs=[{names}]", "split=test", f"tracking.uri={run.store}",
                     f"output={out}", tracked=False)  # fmt: skip
    assert "the same config and seed as" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=folder", "data.root=there"], "predictions=missing.csv"),
        ([], "Which data was predicted?"),
        (["data=folder", "optimizer.lr=1"], "Unknown option 'optimizer.lr'"),
        (["data=folder", "hydra.job.name=x"], "Unknown option 'hydra.job.name'"),
        (["data=folder", "data.root=there", "hydra.run.dir=mine"], "predictions=missing.csv"),
        (["data=folder", "name=a\tb"], "name"),
        (["data=folder", "split=all"], "split"),
    ],
)
def test_bad_words_are_refused_and_nothing_is_left(
    sightline: Sightline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str],
    message: str,
) -> None:  # fmt: skip
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    named = [] if any(word.startswith("name=") for word in words) else ["name=x"]
    done = sightline("import", "predictions=missing.csv", *named, *words, tracked=False)
    assert done.status == 1
    assert message in done.err
    assert not list((tmp_path / "here").iterdir())
