"""Whatever happens to the tracking server: no training ends, no value is lost or doubled."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from support.cheap_job import wait_for
from support.commands import QUICK, SMALL, Sightline, client_of, finish, start, wait_for_line
from support.server import TrackingServer
from support.telling import check_all_arrived, told_points

from sightline.runs.folders import run_folders

JOB = ["train", *SMALL, "tracking.system_metrics_interval_s=1"]
FEW = [*JOB, "trainer.max_epochs=3"]


def test_a_server_that_goes_away_and_comes_back(
    tmp_path: Path, tracking_server: TrackingServer
) -> None:
    process = start(tmp_path, *JOB, "trainer.max_epochs=25", f"tracking.uri={tracking_server.uri}",
                    "tracking.flush_timeout_s=300")  # fmt: skip
    wait_for_line(process, "epoch  3/25")
    tracking_server.stop()
    wait_for_line(process, "MLflow cannot be reached")
    wait_for_line(process, "epoch 10/25")
    tracking_server.start()
    code, out, err = finish(process)
    assert code == 0, err
    assert "pending" not in out
    [folder] = run_folders(tmp_path)
    client = MlflowClient(tracking_server.uri)
    run = check_all_arrived(client, folder.path)
    assert len(told_points(folder.path)["val/loss"]) == 25
    [model] = client.search_logged_models(["1"])
    assert model.source_run_id == run.info.run_id
    assert str(model.status) == "READY"


def test_a_server_that_is_away_at_the_end(tmp_path: Path, tracking_server: TrackingServer) -> None:
    """Exit status 0, what is pending is said, `sync` brings it, and a second time nothing."""
    uri = f"tracking.uri={tracking_server.uri}"
    process = start(tmp_path, *FEW, uri, "tracking.flush_timeout_s=3")
    wait_for_line(process, "epoch 1/3")
    tracking_server.stop()
    code, out, err = finish(process)
    assert code == 0, err
    assert "test (best checkpoint)" in out
    [folder] = run_folders(tmp_path)
    pending = folder.upload.count_pending()
    assert pending > 0
    said = re.search(rf"pending: +(\d+) records? to upload: `sightline sync {folder}`", out)
    assert said is not None
    assert int(said[1]) == pending
    code, _, err = finish(start(tmp_path, "sync"))
    assert code == 1
    assert f"{pending} of {pending} records are still pending" in err
    assert "Traceback" not in err
    tracking_server.start()
    code, out, err = finish(start(tmp_path, "sync"))
    assert code == 0, err
    assert f"{pending} records are in MLflow" in out
    check_all_arrived(MlflowClient(tracking_server.uri), folder.path)
    code, out, _ = finish(start(tmp_path, "sync"))
    assert code == 0
    assert "Nothing is pending" in out


@pytest.mark.usefixtures("ready_store")
def test_sending_everything_again_changes_nothing(tmp_path: Path) -> None:
    """As after a crash of the machine that lost the note of what was sent."""
    code, _, err = finish(start(tmp_path, *FEW))
    assert code == 0, err
    [folder] = run_folders(tmp_path)
    check_all_arrived(client_of(tmp_path), folder.path)
    (folder.path / "tracking" / "sent.json").write_text("{to")
    code, _, err = finish(start(tmp_path, "sync", str(folder)))
    assert code == 0, err
    check_all_arrived(client_of(tmp_path), folder.path)
    assert len(client_of(tmp_path).search_logged_models(["1"])) == 1


def test_a_finished_run_brings_what_was_not_sent(
    sightline: Sightline, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """As of one that was killed, with its sender, at its very end."""
    words = ["train", *QUICK, f"hydra.run.dir={tmp_path}/run"]
    assert sightline(*words, "tracking.offline=true").runs == []
    done = sightline(*words)
    assert done.status == 0, done.err
    assert "nothing is trained again" in done.out
    check_all_arrived(done.client, tmp_path / "run", experiment=request.node.name)


def test_a_repeated_sweep_brings_what_its_jobs_could_not(
    sightline: Sightline, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    words = ["train", "-m", "seed=1,2", *QUICK, f"hydra.sweep.dir={tmp_path}/sweep"]
    assert sightline(*words, "tracking.offline=true").runs == []
    done = sightline(*words)
    assert done.status == 0, done.err
    assert len(done.runs) == 2
    for number in (0, 1):
        check_all_arrived(done.client, tmp_path / f"sweep/{number}", experiment=request.node.name)


def test_a_run_that_goes_on_says_its_id(sightline: Sightline, tmp_path: Path) -> None:
    words = ["train", *QUICK, f"hydra.run.dir={tmp_path}/run"]
    first = sightline(*words)
    again = sightline(*words, "trainer.max_epochs=2")
    assert "epoch 2/2" in again.out
    for done in (first, again):
        assert f"MLflow run:       {first.run.info.run_id}" in done.out
        assert "not in MLflow yet" not in done.out


@pytest.mark.parametrize("offline", ["auto", "true"])
def test_without_a_server_from_the_start(offline: str, tmp_path: Path, refusing_port: int) -> None:
    uri = f"tracking.uri=http://127.0.0.1:{refusing_port}"
    arguments = [uri, f"tracking.offline={offline}", "tracking.start_timeout_s=1"]
    code, out, err = finish(start(tmp_path, *FEW, *arguments, "tracking.flush_timeout_s=1"))
    assert code == 0, err
    assert ("did not answer within 1 s" in out) == (offline == "auto")
    assert "not in MLflow yet" in out
    [folder] = run_folders(tmp_path)
    code, out, err = finish(start(tmp_path, "sync", f"tracking.uri=sqlite:///{tmp_path}/own.db"))
    assert code == 0, err
    run = check_all_arrived(MlflowClient(f"sqlite:///{tmp_path}/own.db"), folder.path)
    assert run.data.metrics["system/cpu_utilization_percentage"] >= 0


def test_credentials_are_nowhere_to_be_read(tmp_path: Path, refusing_port: int) -> None:
    """Of a sweep: its files, its job's, what they print, and the arguments of their processes."""
    uri = f"tracking.uri=http://alice:hunter2%2Fa@127.0.0.1:{refusing_port}"
    tracking = ["offline=auto", "start_timeout_s=1", "flush_timeout_s=1"]
    arguments = ["train", "-m", *FEW[1:], "trainer.max_epochs=1", "seed=3", uri,
                 *(f"tracking.{value}" for value in tracking)]  # fmt: skip
    process = start(tmp_path, *arguments, SIGHTLINE_DEBUG="1", MLFLOW_TRACKING_TOKEN="t0ken")
    wait_for_line(process, "epoch 1/1", timeout_s=240)
    shown = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, check=True, text=True)
    code, out, err = finish(process)
    assert code == 0, err
    said = "\n".join(
        line for line in shown.stdout.splitlines() if uri not in line
    )  # as it was typed
    for secret in ("hunter2", "t0ken"):
        assert secret not in out + err + said
        for file in tmp_path.rglob("*"):
            assert not file.is_file() or secret.encode() not in file.read_bytes(), file


@pytest.mark.usefixtures("ready_store")
def test_a_killed_training_leaves_what_it_told_and_a_true_status(tmp_path: Path) -> None:
    """SIGKILL: the sender, left alone, brings the rest and says that the run failed."""
    process = start(tmp_path, *JOB, "trainer.max_epochs=1000")
    wait_for_line(process, "epoch    3/1000")
    process.send_signal(signal.SIGKILL)
    finish(process)
    [folder] = run_folders(tmp_path)
    client = client_of(tmp_path)
    run = wait_until_ended(client)
    assert "without a report" in run.data.tags["error"]
    wait_for(lambda: folder.upload.count_pending() == 0, 60)  # it notes what it sent, and its files
    check_all_arrived(client, folder.path, "FAILED")


def wait_until_ended(client: MlflowClient) -> Run:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        [run] = client.search_runs(["1"])
        if run.info.status != "RUNNING":
            return run
        time.sleep(0.5)
    raise AssertionError("the run is still RUNNING")
