"""Environments of containers and clusters: no user name, an ASCII console, warnings as errors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from support.commands import ONE_THREAD, QUICK

from sightline.config.schema import TrackingConfig
from sightline.errors import UserError
from sightline.tracking.mlflow.store import open_store

UNSHARE = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


def can_unshare() -> bool:
    """Whether a process may be given a user id without an entry in the password file."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def test_a_training_without_a_user_name(tmp_path: Path) -> None:
    """Also on a console that is not UTF-8, and where Python's warnings are errors."""
    (tmp_path / "pyproject.toml").touch()
    known = {
        key: value
        for key, value in os.environ.items()
        if key not in NAMES and not key.startswith("MLFLOW_")
    }
    odd = {"HOME": "/nonexistent", "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "ascii",
           "XDG_CACHE_HOME": str(tmp_path / "cache")}  # fmt: skip
    command = [*(UNSHARE if can_unshare() else []), sys.executable, "-m", "sightline.cli", "train"]
    done = subprocess.run(
        [*command, *QUICK, "report=[]"], cwd=tmp_path, env=known | ONE_THREAD | odd,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert b"input 1?" in done.stdout  # the × of 1×32×32
    [run] = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_runs(["1"])
    assert run.info.status == "FINISHED"
    if can_unshare():
        assert run.data.tags["mlflow.user"] == "12345"


@pytest.mark.parametrize("name", ["a%41b", "a?b"])
def test_a_folder_that_a_store_cannot_be_in(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    config = TrackingConfig.model_validate({
        "uri": f"sqlite:///{folder}/mlflow.db", "experiment": "e", "run_name": None,
        "offline": False, "start_timeout_s": 10, "flush_timeout_s": 60,
        "system_metrics_interval_s": None, "register_as": None,
    })  # fmt: skip
    with pytest.raises(UserError, match=r"because of the characters '(%41|\?)'.*Rename the folder"):
        open_store(config)
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208
