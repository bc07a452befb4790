"""Runs of any program: means and intervals over seeds, by parameters that are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from mlflow import MlflowClient
from support.commands import Sightline
from support.stores import copy_store

from sightline.comparison.config_columns import config_columns
from sightline.comparison.named_groups import grouped_by
from sightline.errors import UserError
from sightline.tracking.mlflow.stored_run import StoredRun

VALUES = {"0.1": (0.70, 0.72, 0.71), "0.01": (0.80, 0.84, 0.79)}


@pytest.fixture
def foreign(tmp_path: Path, empty_store: Path) -> str:
    """An experiment as a plain MLflow program logs one."""
    copy_store(empty_store, tmp_path / "theirs.db")
    client = MlflowClient(f"sqlite:///{tmp_path}/theirs.db")
    experiment = client.create_experiment("theirs", artifact_location=str(tmp_path / "files"))
    for lr, values in VALUES.items():
        for seed, value in enumerate(values):
            run = client.create_run(experiment, run_name=f"lr {lr} seed {seed}")
            for key, param in (("lr", lr), ("random_state", seed), ("model", "resnet")):
                client.log_param(run.info.run_id, key, param)
            client.log_metric(run.info.run_id, "eval_accuracy", value)
            client.set_terminated(run.info.run_id)
    return client.tracking_uri


def test_means_and_intervals_over_seeds(sightline: Sightline, foreign: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["tracking.experiment=theirs", f"tracking.uri={foreign}", "group_by=[model,lr]",
             "seeds=random_state", "metric=eval_accuracy", f"output={out}"]  # fmt: skip
    refused = sightline("compare", *words, tracked=False)
    assert refused.status == 1
    assert "mode=max or mode=min" in refused.err
    done = sightline("compare", *words, "mode=max", tracked=False)
    assert done.status == 0, done.err
    rows = pd.read_csv(out / "leaderboard.csv", dtype={"lr": str}).to_dict("records")
    assert [row["lr"] for row in rows] == ["0.01", "0.1"]
    for row in rows:
        values = np.array(VALUES[row["lr"]])
        half = scipy.stats.t.ppf(0.975, 2) * values.std(ddof=1) / np.sqrt(3)
        assert float(row["eval_accuracy mean"]) == pytest.approx(values.mean())
        assert float(row["eval_accuracy ± 95 %"]) == pytest.approx(half)
    [tested] = pd.read_csv(out / "tests.csv").to_dict("records")
    welch = scipy.stats.ttest_ind(VALUES["0.01"], VALUES["0.1"], equal_var=False)
    assert float(tested["p"]) == pytest.approx(welch.pvalue)
    assert tested["covers"] == "over seeds, on these images"


def test_an_imported_config_is_told_by_its_name_alone() -> None:
    trained = {"model": "cnn", "model._target_": "x.cnn", "optimizer.lr": "1", "max_epochs": "3"}
    theirs = {"imported": "true", "model": "theirs", "model.name": "theirs"}
    names, rows = config_columns([trained, theirs], ["a" * 32, "b" * 32])
    assert names == ("model",)
    assert rows == [{"model": "cnn"}, {"model": "theirs"}]


def stored(**params: str) -> StoredRun:
    return StoredRun("a" * 32, "uri", "1", None, "x", "FINISHED", params, {"m": 1.0}, {})


def test_a_parameter_that_no_run_has_is_refused() -> None:
    runs = {"a": stored(lr="1", seed="0")}
    with pytest.raises(UserError, match=r"group_by=lrr: none of the 1 runs.*'lr'"):
        grouped_by(runs, ["lrr"], None)
    with pytest.raises(UserError, match="seeds=sed"):
        grouped_by(runs, ["lr"], "sed")
