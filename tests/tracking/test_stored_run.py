"""Runs that a command names: by id, address, folder or checkpoint file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from support.commands import QUICK, Sightline

from sightline.errors import UserError
from sightline.tracking.mlflow.stored_run import find_checkpoint_file, find_stored_run


def test_a_run_is_found_by_id_uri_folder_and_file(sightline: Sightline) -> None:
    done = sightline("train", *QUICK)
    assert done.status == 0, done.err
    run_id, folder = done.run.info.run_id, done.folder
    for wanted in (run_id, f"runs:/{run_id}", f"runs:/{run_id}/model", str(folder)):
        found = find_stored_run(wanted, done.store)
        assert (found.run_id, found.folder and found.folder.path, found.status) == (
            run_id,
            folder,
            "FINISHED",
        )
        assert found.params["label_mode"] == "multiclass"
        assert find_checkpoint_file(wanted, done.store)[0] == folder / "checkpoints" / "best.ckpt"
    path, run = find_checkpoint_file(str(folder / "checkpoints" / "last.ckpt"), done.store)
    assert path.name == "last.ckpt"
    assert run is not None
    assert run.run_id == run_id
    gone = folder.with_name("gone")
    shutil.move(folder, gone)
    elsewhere = find_stored_run(run_id, done.store)  # as from another machine
    assert elsewhere.folder is None
    assert (
        elsewhere.file("predictions/test.parquet").read_bytes()
        == (gone / "predictions" / "test.parquet").read_bytes()
    )
    with pytest.raises(UserError, match="has no artifact predictions/none"):
        elsewhere.file("predictions/none.parquet")


def test_what_is_no_run_is_an_error(tmp_path: Path, store: str) -> None:
    MlflowClient(store).search_experiments()  # makes it
    with pytest.raises(UserError, match="no such folder or file"):
        find_stored_run("0123456789abcdef0123456789abcdef", store)
    with pytest.raises(UserError, match="holds no run of Sightline"):
        find_stored_run(str(tmp_path), store)
    with pytest.raises(UserError, match=r"There is no checkpoint .*missing\.ckpt"):
        find_checkpoint_file(str(tmp_path / "missing.ckpt"), store)
    with pytest.raises(UserError, match="There is no MLflow store"):
        find_stored_run("0123", f"sqlite:///{tmp_path}/none.db")
