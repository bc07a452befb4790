"""`sightline reproduce`: a real run trained again, as it was and with what changed since."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import yaml
from conftest import QUICK, Sightline

from sightline.comparison.reproduction import differing, judge, summary


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


def test_a_run_is_reproduced(sightline: Sightline) -> None:
    """First as it was; then beside another environment, another split and another result."""
    done = sightline("train", *QUICK, "report=none", "seed=3")
    run, folder = done.run, done.folder
    uri = f"tracking.uri={done.store}"
    again = sightline("reproduce", f"run={run.info.run_id}", uri, tracked=False)
    assert again.status == 0, again.err
    assert "identical" in again.out
    assert "different" not in again.out.replace("0 if", "")
    (new,) = (each for each in again.runs if each.info.run_id != run.info.run_id)
    assert new.data.tags["reproduces"] == run.info.run_id
    assert new.data.metrics["test/loss"] == run.data.metrics["test/loss"]
    report = again.client.download_artifacts(new.info.run_id, "reproduction/reproduction.md")
    assert "| test/loss |" in Path(report).read_text()

    environment = json.loads((folder / "provenance/environment.json").read_text())
    environment["packages"]["numpy"] = "1.0"
    (folder / "provenance/environment.json").write_text(json.dumps(environment))
    config = yaml.safe_load((folder / "config/config.yaml").read_text())
    config["data"]["split_seed"] = 5  # the same data would be split in another way
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    done.client.log_metric(run.info.run_id, "test/accuracy", 0.123, step=9)
    changed = sightline("reproduce", f"run={folder}", uri, "tolerance=0", tracked=False)
    assert changed.status == 1, changed.err
    assert "package numpy" in changed.out
    assert "the split that the run stored is used" in changed.out + changed.err
    lines = [line.split() for line in changed.out.splitlines()]
    assert [line[0] for line in lines if line[-1:] == ["different"]] == ["test/accuracy"]
    newest = max(changed.runs, key=lambda each: each.info.start_time)
    split = "split/split.parquet"
    ours = pq.read_table(Path(newest.data.tags["run_folder"]) / split).to_pylist()
    assert ours == pq.read_table(folder / split).to_pylist()


def test_what_cannot_be_reproduced_is_refused(sightline: Sightline, tmp_path: Path) -> None:
    done = sightline("train", *QUICK, "report=none", "evaluate_test=false")
    run_id, uri = done.run.info.run_id, f"tracking.uri={done.store}"
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
    (done.folder / "config/config.yaml").unlink()
    artifact = Path(done.client.get_run(run_id).info.artifact_uri) / "config/config.yaml"
    artifact.unlink()
    deleted = sightline("reproduce", f"run={run_id}", uri, tracked=False)
    assert "has no artifact config/config.yaml" in deleted.err
    assert len(deleted.runs) == 1
