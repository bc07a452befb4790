"""`sightline reproduce`: a real run trained again, as it was and with what changed since."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from statsmodels.stats.contingency_tables import mcnemar
from support.commands import QUICK, Done, Sightline

from sightline.comparison.reproduction import differing, judge, summary
from sightline.predictions import Predictions
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow.stored_run import find_stored_run
from sightline.tracking.tracker import Tracker
from sightline.training.rerun import conclude

SPLIT = "split/split.parquet"


def test_every_metric_is_judged() -> None:
    then = {"a": 0.5, "b": 0.5, "c": 0.5, "d": 200.0, "old": 1.0, "train/images_per_second": 9.0}
    now = {"a": 0.5, "b": 0.5009, "c": 0.502, "d": 200.1, "new": 1.0, "system/cpu": 3.0}
    judged = judge(then, now, tolerance=0.001)
    assert {each.name: each.verdict for each in judged} == {
        "c": "different",
        "b": "within tolerance",
        "d": "within tolerance",
        "a": "identical",
        "old": "only then",
        "new": "only now",
    }
    assert judged[0].name == "c"
    assert summary(judged) == "different"
    assert summary(judged[1:]) == "within tolerance"
    assert summary(judge({"a": 1.0}, {"a": 1.0}, 0)) == "identical"
    assert summary(judge({"a": 1.0}, {"b": 1.0}, 1)) == "different"  # nothing was measured twice


def test_only_what_differs_is_listed() -> None:
    then = {"commit": "a", "python": "3.11", "package x": "1"}
    table = differing(then, {"commit": "b", "python": "3.11", "package y": "2"})
    assert table.rows == [
        ["commit", "a", "b"],
        ["package x", "1", "not there"],
        ["package y", "not known", "2"],
    ]


def test_real_runs_are_compared_and_reproduced(sightline: Sightline) -> None:
    """Trained twice and compared; one of them trained again, beside what changed since."""
    sightline("train", *QUICK, "report=none", "optimizer.lr=0.0001", "seed=1")
    done = sightline("train", *QUICK, "report=none")
    compared = sightline("compare", "split=test", "metric=accuracy", "output=compared")
    assert compared.status == 0, compared.err
    with Path("compared/tests.csv").open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    tables = [
        Predictions.read(Path(done.client.download_artifacts(row[run], "predictions/test.parquet")))
        for run in ("first run", "second run")
    ]
    hits = [table.probs.argmax(axis=1) == table.targets for table in tables]
    alone = [(hits[0] & ~hits[1]).sum(), (hits[1] & ~hits[0]).sum()]
    expected = mcnemar([[0, alone[0]], [alone[1], 0]], exact=True).pvalue
    assert float(row["p"]) == pytest.approx(expected)
    assert "optimizer.lr" in compared.out
    assert "This test set has been looked at" in compared.out  # also by other tests' runs

    run = next(each for each in done.runs if each.data.params["seed"] == "0")
    run_id, folder, uri = run.info.run_id, Path(run.data.tags["run_folder"]), done.store
    environment = json.loads((folder / "provenance/environment.json").read_text())
    environment["packages"]["numpy"] = "1.0"
    (folder / "provenance/environment.json").write_text(json.dumps(environment))
    config = yaml.safe_load((folder / "config/config.yaml").read_text())
    config["data"]["split_seed"] = 5  # the same data would be split in another way
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    tracker = Tracker(RunFolder(folder))  # logged, so that they are no damage
    for name in ("provenance/environment.json", "config/config.yaml"):
        tracker.log_artifact(name)
    again = sightline("reproduce", f"run={run_id}", f"tracking.uri={uri}", tracked=False)
    assert again.status == 0, again.err
    assert "package numpy" in again.out
    assert "the split that the run stored is used" in again.out
    assert again.out.count(" identical") > 20
    assert " different" not in again.out
    (new,) = (each for each in again.runs if each.data.tags.get("reproduces") == run_id)
    assert new.data.metrics["test/loss"] == run.data.metrics["test/loss"]
    new_folder = Path(new.data.tags["run_folder"])
    split = pq.read_table(new_folder / SPLIT).to_pylist()
    assert split == pq.read_table(folder / SPLIT).to_pylist()
    report = again.client.download_artifacts(new.info.run_id, "reproduction/reproduction.md")
    assert "| test/loss |" in Path(report).read_text()

    done.client.log_metric(run_id, "test/accuracy", 0.123, step=9)
    same = differing({}, {})
    assert conclude(find_stored_run(run_id, uri), new_folder, same, tolerance=0.005) == 1
    assert "| test/accuracy | 0.123 |" in (new_folder / "reproduction/reproduction.md").read_text()
    _refusals(sightline, run_id, done)


def _refusals(sightline: Sightline, run_id: str, done: Done) -> None:
    """What cannot be reproduced, and starts no run."""
    uri, before = f"tracking.uri={done.store}", len(sightline("--version", tracked=False).runs)
    for arguments, words in (
        ([f"run={run_id}", "optimizer.lr=1"], "it would be another training"),
        (["run=" + "0" * 32], "has no run with this id"),
        ([], "run=..."),
    ):
        refused = sightline("reproduce", *arguments, uri, tracked=False)
        assert refused.status == 1
        assert words in refused.err
    done.client.set_terminated(run_id, "KILLED")
    unfinished = sightline("reproduce", f"run={run_id}", uri, tracked=False)
    assert (unfinished.status, "never finished" in unfinished.err) == (1, True)
    done.client.set_terminated(run_id, "FINISHED")
    run = done.client.get_run(run_id)
    for place in (run.data.tags["run_folder"], run.info.artifact_uri):
        (Path(place) / "config/config.yaml").unlink()
    deleted = sightline("reproduce", f"run={run_id}", uri, tracked=False)
    assert "config/config.yaml is damaged: it is missing. MLflow has no copy" in deleted.err
    assert len(deleted.runs) == before
