"""Names of runs beside id and folder, looked up in a real store."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sightline.errors import UserError
from sightline.tracking.mlflow import tags
from sightline.tracking.mlflow.stored_run import find_stored_run

LABELS = {"label_mode": "multiclass", "data.digest.val": "a" * 32}
Training = Callable[..., str]


@pytest.fixture
def client(tmp_path: Path, empty_store: Path) -> MlflowClient:
    shutil.copyfile(empty_store, tmp_path / "store.db")
    return MlflowClient(f"sqlite:///{tmp_path}/store.db")


@pytest.fixture
def training(client: MlflowClient, tmp_path: Path) -> Training:
    """Log a run as a training leaves it, a second after the one before."""
    experiment = client.create_experiment("photos", str(tmp_path / "artifacts"))
    started = iter(range(1_000_000, 9_000_000, 1000))

    def log(
        name: str, status: str = "FINISHED", params: dict[str, str] = LABELS, kind: str = "",
        **metrics: float,
    ) -> str:  # fmt: skip
        given = {tags.RUN_FOLDER: f"/nowhere/{name}"} | ({tags.KIND: kind} if kind else {})
        run_id = str(client.create_run(experiment, next(started), given, name).info.run_id)
        for key, value in params.items():
            client.log_param(run_id, key, value)
        for key, value in metrics.items():
            client.log_metric(run_id, key.replace("__", "/"), value)
        client.set_terminated(run_id, status)
        return run_id

    return log


def found(client: MlflowClient, name: str) -> str | None:
    return find_stored_run(name, client.tracking_uri).run_id


def refused(client: MlflowClient, name: str) -> str:
    with pytest.raises(UserError) as error:
        find_stored_run(name, client.tracking_uri)
    return str(error.value)


def test_a_run_is_named_by_the_beginning_of_its_id_and_by_its_name(
    client: MlflowClient, training: Training
) -> None:
    one, _ = training("one"), training("it's two")
    assert found(client, one[:6]) == one
    assert found(client, "one") == one
    assert client.get_run(str(found(client, "it's two"))).info.run_name == "it's two"
    assert "Did you mean 'one'?" in refused(client, "onee")
    assert "first 4 characters" in refused(client, one[:3])
    again = training("one")
    assert one in (message := refused(client, "one"))
    assert again in message
    client.delete_run(again)
    assert found(client, "one") == one


def test_latest_is_the_newest_training_that_finished(
    client: MlflowClient, training: Training
) -> None:
    assert "no finished training yet" in refused(client, "latest")
    training("old")
    new = training("new")
    training("failed", status="FAILED")
    training("evaluation", kind=tags.KIND_EVALUATION)
    assert found(client, "latest") == new


def test_best_goes_by_the_metric_s_own_direction_at_the_best_checkpoint(
    client: MlflowClient, training: Training
) -> None:
    one = training("one", val_best__accuracy=0.9, val_best__loss=0.7, val__accuracy=0.5)
    two = training("two", val_best__accuracy=0.8, val_best__loss=0.2, val__accuracy=0.6)
    training("failed", status="FAILED", val_best__accuracy=1.0)
    assert found(client, "best:val/accuracy") == one
    assert found(client, "best:val/loss") == two
    assert "no finished training with the metric test/accuracy" in refused(
        client, "best:test/accuracy"
    )
    for name in ("best:", "best:accuracy", "best:val/acuracy"):
        assert "expected a split and one of Sightline's metrics" in refused(client, name)
    training("other data", params=LABELS | {"data.digest.val": "b" * 32}, val_best__accuracy=0.95)
    assert "are of 2 tasks, whose values do not compare" in refused(client, "best:val/accuracy")


def test_a_registered_model_names_the_run_it_came_from(
    client: MlflowClient, training: Training
) -> None:
    one = training("one")
    client.create_registered_model("cats")
    client.create_model_version("cats", f"runs:/{one}/model", one)
    client.set_registered_model_alias("cats", "champion", "1")
    assert found(client, "models:/cats@champion") == one
    assert found(client, "models:/cats/1") == one
    assert "Did you mean 'cats'?" in refused(client, "models:/cat@champion")
    assert "no such registered model" in refused(client, "models:/cats/2")
    for name in ("models:/cats", "models:/cats@", "models:/cats/x"):
        assert re.search("expected models:/NAME@ALIAS or", refused(client, name)), name
