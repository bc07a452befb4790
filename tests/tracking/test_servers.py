"""Real tracking servers on PostgreSQL, with and without a password; the database used directly."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from support.commands import SMALL, finish, start
from support.postgres import PASSWORD, Postgres
from support.server import TrackingServer
from support.telling import Tell, check_all_arrived
from werkzeug.security import generate_password_hash

from sightline.predictions import Predictions
from sightline.tracking.mlflow.views import leaderboard_key
from sightline.tracking.task import task_facts

ADMIN = "s3cret-of-the admin"  # a URI needs the blank percent-encoded
pytestmark = pytest.mark.xdist_group("servers")  # one PostgreSQL for all


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


def arguments_of_all_processes() -> str:
    return subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, check=True,
                          text=True).stdout  # fmt: skip


def check_passwords_quickly(folder: Path) -> None:
    """Let a server with a password hash it once a request: by default that takes 0.1 s of CPU."""
    quick = generate_password_hash(ADMIN, "pbkdf2:sha256:1")
    with closing(sqlite3.connect(folder / "basic_auth.db")) as users, users:
        changed = users.execute("UPDATE users SET password_hash = ?", [quick])
        assert changed.rowcount == 1


def assert_nowhere(secret: str, *folders: Path) -> None:
    for folder in folders:
        for file in folder.rglob("*"):
            assert not file.is_file() or secret.encode() not in file.read_bytes(), file


def test_a_tracking_server_holds_the_whole_run(tmp_path: Path, postgres: Postgres) -> None:
    """Artifacts proxied, no password, named by the environment."""
    server = TrackingServer(tmp_path, postgres.database("open"))
    work = tmp_path / "work"
    work.mkdir()
    try:
        server.start()
        quick = [*SMALL, "trainer.max_epochs=2", "tracking.start_timeout_s=60"]
        quick += ["tracking.system_metrics_interval_s=1"]
        code, out, err = finish(start(work, "train", *quick, MLFLOW_TRACKING_URI=server.uri))
        assert code == 0, err
        assert f"{server.uri}/#/experiments/1/runs/" in out
        client = MlflowClient(server.uri)
        [folder] = work.glob("runs/*/*")
        run = check_all_arrived(client, folder)
        assert "test/accuracy" in run.data.metrics
        assert run.data.metrics["system/cpu_utilization_percentage"] >= 0
        local = client.download_artifacts(
            run.info.run_id, "predictions/test.parquet", str(tmp_path)
        )
        assert len(Predictions.read(Path(local))) == 359
        assert not (work / "mlflow.db").exists()
        assert list((tmp_path / "served").rglob("test.parquet"))
        key = leaderboard_key(task_facts(run.data.params))
        assert f"mlflow.sharedViewState.{key}" in client.get_experiment("1").tags
    finally:
        server.stop()


def test_a_server_with_a_password(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused at the start without it; taken from the address; and nowhere to be read."""
    server = TrackingServer(tmp_path, postgres.database("closed"), "--app-name", "basic-auth")
    try:
        server.start(
            MLFLOW_AUTH_ADMIN_PASSWORD=ADMIN, MLFLOW_FLASK_SERVER_SECRET_KEY="of the tests" * 3
        )
        check_passwords_quickly(tmp_path)
        folder = tmp_path / "work" / "run"
        code, out, err = finish(Tell(str(folder), server.uri).start(MLFLOW_TRACKING_TOKEN="t0ken"))
        assert code == 1
        assert "refuses access (HTTP status 401). Set MLFLOW_TRACKING_USERNAME" in err
        assert "t0ken" not in out + err
        assert not folder.exists()
        uri = server.uri.replace("//", f"//admin:{ADMIN.replace(' ', '%20')}@")
        process = Tell(str(folder), uri, pause_s=0.1).start(SIGHTLINE_DEBUG="1")
        assert process.stdout is not None
        assert "begun" in process.stdout.readline(), finish(process)
        seen = [
            line for line in arguments_of_all_processes().splitlines() if "telling.py" not in line
        ]
        code, out, err = finish(process)
        assert code == 0, err
        for secret in (ADMIN, ADMIN.replace(" ", "%20"), "s3cret"):
            assert secret not in seen
            assert secret not in out + err
            assert_nowhere(secret, folder)
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", ADMIN)
        check_all_arrived(MlflowClient(server.uri), folder)
    finally:
        server.stop()


def test_runs_that_start_at_once_on_an_empty_database(tmp_path: Path, postgres: Postgres) -> None:
    uri = postgres.database("direct")
    (tmp_path / "pyproject.toml").touch()  # artifacts go to the project
    runs = [Tell(str(tmp_path / f"run{index}"), uri) for index in range(3)]
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        processes = [run.start() for run in runs]
    finally:
        os.chdir(here)
    for process in processes:
        code, out, err = finish(process)
        assert code == 0, err
        assert PASSWORD not in out + err
    for run in runs:
        check_all_arrived(MlflowClient(uri), Path(run.folder))
    assert list((tmp_path / "mlartifacts").rglob("best.ckpt"))
