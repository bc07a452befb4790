"""What is brought to MLflow: once, whatever is repeated, damaged, refused, deleted or lost."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import compress, product
from pathlib import Path
from typing import Any, ClassVar, cast

import psutil
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE
from support.cheap_job import wait_for
from support.commands import finish, senders_of, wait_for_line
from support.server import TrackingServer
from support.stores import copy_store
from support.telling import Tell, check_all_arrived, told_points, write

from sightline.commands import run_command
from sightline.errors import UserError
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import JournalFormatError, JournalWriter, read_journal
from sightline.runs.journal.records import (
    ArtifactRecord,
    ImageRecord,
    MetricsRecord,
    ParamsRecord,
    Record,
    RefusedRecord,
    RunRecord,
)
from sightline.runs.journal.upload import UploadState
from sightline.tracking.mlflow.databases import network_file_system
from sightline.tracking.mlflow.environment import ONE_TRY
from sightline.tracking.mlflow.errors import describe, http_status, is_refusal
from sightline.tracking.mlflow.store import Store, open_store
from sightline.tracking.sender import run_upload as run_upload_module
from sightline.tracking.sender.run_upload import RunUpload
from sightline.tracking.sender.uploader import Uploader
from sightline.tracking.tracker import Tracker


@pytest.fixture
def told(tmp_path: Path, store: str) -> Tell:
    """A run that told all and sent nothing."""
    told = Tell(str(tmp_path / "run"), store, steps=5, tracking={"experiment": tmp_path.name})
    folder = RunFolder(Path(told.folder))
    write(Tracker(folder), told)
    folder.upload.write_destination(told.config)
    return told


def arrived(told: Tell) -> None:
    check_all_arrived(MlflowClient(told.uri), Path(told.folder), experiment=told.config.experiment)


def refused_records(folder: RunFolder) -> list[dict[str, Any]]:
    """The records that MLflow refused, as the journal has them."""
    records = [record for record, _ in read_journal(folder.upload.refused)]
    return [record.record for record in records if isinstance(record, RefusedRecord)]


class CrashError(Exception):
    """The sender is gone."""


def test_a_crash_after_any_request_doubles_nothing(
    told: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before what was sent is noted, once after each request: all kinds of records come twice."""
    folder = RunFolder(Path(told.folder))
    note = UploadState.write_position

    def crash(*_: Any) -> None:
        raise CrashError

    requests_made = 0
    while True:
        monkeypatch.setattr(UploadState, "write_position", crash)
        try:
            RunUpload(folder, told.config).upload_all()
            break
        except CrashError:
            requests_made += 1
        monkeypatch.setattr(UploadState, "write_position", crash_after(1, note))
        try:
            RunUpload(folder, told.config).upload_all()
        except CrashError:
            continue
        break
    assert requests_made > 5
    arrived(told)


def crash_after(count: int, note: Callable[..., None]) -> Callable[..., None]:
    def write(*arguments: Any) -> None:
        nonlocal count
        if count == 0:
            raise CrashError
        count -= 1
        note(*arguments)

    return write


@pytest.mark.parametrize("which", ["version", "first", "middle"])
def test_a_damaged_line_is_said_and_the_rest_arrives(
    which: str, told: Tell, caplog: pytest.LogCaptureFixture
) -> None:
    folder = RunFolder(Path(told.folder))
    journal = folder.upload.journal
    lines = journal.read_bytes().splitlines(keepends=True)
    number = {"version": 0, "first": 1, "middle": len(lines) // 2}[which]
    lines[number] = lines[number][:20] + bytes([lines[number][20] ^ 1]) + lines[number][21:]
    journal.write_bytes(b"".join(lines))
    RunUpload(folder, told.config).upload_all()
    assert "damaged" in caplog.text
    client = MlflowClient(told.uri)
    run = client.get_run(folder.upload.position()["run_id"])
    assert run.info.status == "FINISHED"
    for key, points in told_points(folder.path).items():
        assert len(client.get_metric_history(run.info.run_id, key)) == len(points)
    assert len(told_points(folder.path)["val/m0"]) == (4 if which == "middle" else 5)


def test_a_journal_that_lost_its_end_is_sent_again(told: Tell) -> None:
    """As after a power cut: what is appended then lies before the noted offset."""
    folder = RunFolder(Path(told.folder))
    RunUpload(folder, told.config).upload_all()
    journal = folder.upload.journal
    content = journal.read_bytes()
    journal.write_bytes(content[: len(content) // 2])
    journal = JournalWriter(journal)
    journal.append(MetricsRecord(metrics={"val/m0": 0.5}, step=9, time_ms=1))
    journal.close()
    assert folder.upload.count_pending() > 0
    RunUpload(folder, told.config).upload_all()
    run_id = folder.upload.position()["run_id"]
    history = MlflowClient(told.uri).get_metric_history(run_id, "val/m0")
    assert sorted(point.step for point in history) == [0, 1, 2, 3, 4, 9]


def test_what_is_refused_is_said_kept_and_holds_nothing_up(
    told: Tell, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of two params, an image that is none, and a file that is gone; the rest arrives."""
    folder = RunFolder(Path(told.folder))
    journal = JournalWriter(folder.upload.journal)
    (folder.path / "images" / "no.png").write_bytes(b"not an image")
    bad: list[Record] = [
        ParamsRecord(params={"lr": "another value", "later": "2"}, time_ms=1),
        ImageRecord(path="images/no.png", key="no", step=0),
        ArtifactRecord(path="gone.txt"),
        ArtifactRecord(path="results.json"),
        MetricsRecord(metrics={"val/m0": 7.0}, step=7),
    ]
    (folder.path / "results.json").write_text("{}")
    for record in bad:
        journal.append(record)
    journal.close()
    RunUpload(folder, told.config).upload_all()
    client, run_id = MlflowClient(told.uri), folder.upload.position()["run_id"]
    run = client.get_run(run_id)
    assert (run.data.params["lr"], run.data.params["later"]) == ("0.1", "2")
    assert run.data.metrics["val/m0"] == 7.0
    assert "results.json" in {item.path for item in client.list_artifacts(run_id)}
    assert (folder.upload.count_pending(), folder.upload.count_refused()) == (0, 3)
    refused = refused_records(folder)
    assert {"op": "params", "params": {"lr": "another value"}, "time_ms": 1} in refused
    assert "another value" in caplog.text
    assert run_command("sync", [str(folder.path), f"tracking.uri={told.uri}"]) == 0
    shown = capsys.readouterr()
    assert "Nothing is pending" in shown.out
    assert "3 records are not in MLflow, which refused them before" in shown.err
    assert f"sightline sync {folder.path} --again" in shown.err
    (folder.path / "gone.txt").write_text("back")
    arguments = ["--again", str(folder.path), f"tracking.uri={told.uri}"]
    assert run_command("sync", arguments) == 1
    assert "MLflow refuses 2 records" in capsys.readouterr().err
    assert "gone.txt" in {item.path for item in client.list_artifacts(run_id)}


def test_a_deleted_run_is_said_and_taken_back(told: Tell) -> None:
    folder = RunFolder(Path(told.folder))
    run_upload = RunUpload(folder, told.config)
    run_upload.upload(run_upload.streams[0])
    client, run_id = MlflowClient(told.uri), folder.upload.position()["run_id"]
    client.delete_run(run_id)
    waiting = folder.upload.count_pending()
    assert waiting > 0
    with pytest.raises(UserError, match=f"the run {run_id} was deleted in MLflow"):
        RunUpload(folder, told.config).upload_all()
    journal = JournalWriter(folder.upload.journal)
    journal.append(MetricsRecord(metrics={"val/m0": 7.0}, step=7, time_ms=1))
    journal.close()
    with pytest.raises(UserError, match=f"mlflow runs restore --run-id {run_id}"):
        run_upload.upload(run_upload.streams[0])  # found while it is being sent to
    assert (folder.upload.count_pending(), folder.upload.count_refused()) == (waiting + 1, 0)
    client.restore_run(run_id)
    RunUpload(folder, told.config).upload_all()
    arrived(told)


def test_another_store_gets_all_of_it(told: Tell, tmp_path: Path) -> None:
    folder = RunFolder(Path(told.folder))
    RunUpload(folder, told.config).upload_all()
    told.uri = f"sqlite:///{tmp_path}/other/mlflow.db"
    arguments = [str(tmp_path), f"tracking.uri={told.uri}"]
    assert run_command("sync", arguments) == 0
    arrived(told)
    assert run_command("sync", ["--again", *arguments]) == 0
    arrived(told)
    journal = JournalWriter(folder.upload.journal)
    journal.append(MetricsRecord(metrics={"val/m0": 7.0}, step=7, time_ms=1))
    journal.close()
    told.uri = f"sqlite:///{tmp_path}/third/mlflow.db"
    RunUpload(folder, told.config).upload_all()
    arrived(told)


STREAMS = ("journal", "system", "files")
SUBSETS = [set(compress(STREAMS, chosen)) for chosen in product((False, True), repeat=3)]


class Shelf:
    """A store's place for one run, in place of MLflow: the records that it was given."""

    shelves: ClassVar[dict[Path, list[Record]]] = {}

    def __init__(self, store: Store, folder: RunFolder, run_id: str | None, _: str | None) -> None:
        self.experiment_id, self.run_id = "1", run_id
        self.records = self.shelves.setdefault(Path(store.uri[10:]).resolve(), [])

    def upload(self, records: list[Record]) -> list[tuple[Record, str]]:
        self.run_id = "its id"
        self.records += records
        return []


@pytest.mark.parametrize("pending", SUBSETS, ids=lambda names: "-".join(sorted(names)) or "none")
@pytest.mark.parametrize("address", ["same", "another", "elsewhere"])
def test_whatever_is_pending_is_all_sent_to_the_address_that_is_named(
    pending: set[str], address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another address had is sent again, once: nobody knows whether it leads to one store."""
    monkeypatch.setattr(run_upload_module, "Delivery", Shelf)
    monkeypatch.setattr(Shelf, "shelves", {})
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    uris = {"same": f"sqlite:///{tmp_path}/a/db", "another": f"sqlite:///{tmp_path}/link/db",
            "elsewhere": f"sqlite:///{tmp_path}/b/db"}  # fmt: skip
    told = Tell(str(tmp_path / "run"), uris["same"])
    folder = RunFolder(tmp_path / "run")
    for path, record in (
        (folder.upload.journal, RunRecord(name="a", tags={})),
        (folder.upload.journal, ArtifactRecord(path="a.txt")),
        (folder.upload.system_journal, MetricsRecord(metrics={"system/cpu": 1.0}, step=0)),
    ):
        journal = JournalWriter(path)
        journal.append(record)
        journal.close()

    def upload(uri: str) -> int:
        config = told.config.model_copy(update={"uri": uri})
        store = Store(cast(MlflowClient, None), uri, "1")  # nothing is asked of MLflow
        return RunUpload(folder, config, lambda _: store).upload_all()

    assert upload(told.uri) == 0
    folder.upload.write_position(folder.upload.position() | dict.fromkeys(pending, 0))
    Shelf.shelves.clear()
    assert upload(uris[address]) == 0
    assert folder.upload.count_pending() == 0
    [given] = Shelf.shelves.values() if pending or address != "same" else [[]]
    assert len(given) == (len(pending) if address == "same" else 3)
    assert upload(uris[address]) == 0
    assert len(given) == (len(pending) if address == "same" else 3)


def test_files_alone_are_pending_and_the_store_has_another_address(
    told: Tell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(Path(told.folder))
    RunUpload(folder, told.config).upload_all()
    whole = folder.upload.position()
    folder.upload.write_position(whole | {"files": 0})
    linked = tmp_path / "linked"
    linked.symlink_to(Path(told.uri.removeprefix("sqlite:///")).parent)
    uri = f"sqlite:///{linked}/{told.uri.rpartition('/')[2]}"
    assert run_command("sync", [str(folder.path), f"tracking.uri={uri}"]) == 0
    assert "records are in MLflow" in capsys.readouterr().out
    arrived(told)
    assert folder.upload.position()["run_id"] == whole["run_id"]
    assert run_command("sync", [str(folder.path)]) == 0  # the store is that of later records
    assert "Nothing is pending" in capsys.readouterr().out


def test_what_cannot_be_sent_is_said(told: Tell, capsys: pytest.CaptureFixture[str]) -> None:
    """Metrics of the machine, and the journal of the run that they belong to is empty."""
    folder = RunFolder(Path(told.folder))
    folder.upload.journal.write_bytes(b"")
    system = JournalWriter(folder.upload.system_journal)
    system.append(MetricsRecord(metrics={"system/cpu": 1.0}, step=0))
    system.close()
    assert run_command("sync", [str(folder.path)]) == 1
    captured = capsys.readouterr()
    assert "journal.jsonl is damaged" in captured.err
    assert "are in MLflow" not in captured.out


@pytest.mark.usefixtures("ready_store")
def test_an_evaluation_is_not_made_another_run_of_another_store(
    tmp_path: Path, empty_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without a run of its own: its records go to the run that was evaluated."""
    told = Tell(str(tmp_path / "run"), f"sqlite:///{tmp_path}/mlflow.db", steps=1, files=False)
    run = RunFolder(tmp_path / "run")
    write(Tracker(run), told)
    RunUpload(run, told.config).upload_all()
    folder = RunFolder(tmp_path / "evaluations" / "id")
    folder.upload.write_position(run.upload.position())
    journal = JournalWriter(folder.upload.journal)
    journal.append(MetricsRecord(metrics={"other/accuracy": 1.0}, step=0))
    journal.close()
    (tmp_path / "linked").symlink_to(tmp_path)
    linked = {"uri": f"sqlite:///{tmp_path}/linked/mlflow.db"}
    folder.upload.write_destination(told.config.model_copy(update=linked))
    assert run_command("sync", [str(folder.path)]) == 0
    client = MlflowClient(told.uri)
    [found] = client.search_runs(["1"])
    assert found.data.metrics["other/accuracy"] == 1.0
    copy_store(empty_store, tmp_path / "third.db")
    third = f"tracking.uri=sqlite:///{tmp_path}/third.db"
    assert run_command("sync", [str(folder.path), third]) == 1
    assert "MLflow no longer has the run" in capsys.readouterr().err


def upload_with_retries(run_upload: RunUpload, retries: int) -> int:
    """Upload all; how many tries failed."""
    for failures in range(retries + 1):
        try:
            run_upload.upload_all()
            return failures
        except (MlflowException, OSError, UserError):
            if failures == retries:
                raise
    raise AssertionError


def make_future(folder: RunFolder) -> None:
    """Add a record of an operation that only a later version knows."""
    text = json.dumps({"op": "audio", "path": "a.wav", "time_ms": 1}).encode()
    with folder.upload.journal.open("ab") as journal:
        journal.write(b"%08x %s\n" % (zlib.crc32(text), text))


def test_a_journal_of_another_version_is_one_message_and_stops_no_other(
    told: Tell, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`sync` uploads the other folders; resuming the folder is refused."""
    good = RunFolder(tmp_path / "z")
    copy = Tell(str(good.path), told.uri, steps=1, files=False, tracking=told.tracking)
    write(Tracker(good), copy)
    good.upload.write_destination(copy.config)
    bad = RunFolder(Path(told.folder))
    make_future(bad)
    message = f"{bad.upload.journal}: the record that ends at byte"
    for again in ([], ["--again"]):
        words = [*again, f"tracking.uri={told.uri}", str(tmp_path)]
        assert run_command("sync", words) == 1
        out, err = capfd.readouterr()
        assert err.count(message) == 1, err
        assert "the operation 'audio'" in err
        assert f"{good.path}: " in out
        assert (out + err).count(str(bad.path)) == 1
    check_all_arrived(MlflowClient(told.uri), good.path, experiment=tmp_path.name)
    with pytest.raises(JournalFormatError, match="the operation 'audio'"):
        Tracker(bad)


def test_the_sender_reports_a_journal_of_another_version_and_ends(told: Tell) -> None:
    """A retry would read the same: it must not go on until the time for the flush is over."""
    folder = RunFolder(Path(told.folder))
    make_future(folder)
    events: list[dict[str, str]] = []
    run_upload = RunUpload(folder, told.config)
    closing = threading.Event()
    streams = [each for each in run_upload.streams if not each.files]
    uploader = Uploader(run_upload, streams, closing, lambda **event: events.append(event))
    uploader.start()
    uploader.join(30)
    assert not uploader.is_alive()
    [warning] = [event for event in events if event["event"] == "warning"]
    assert "the operation 'audio'" in warning["message"]


class Proxy(BaseHTTPRequestHandler):
    """Takes no body above 20 kB, and loses a third of the answers that the server gave."""

    server_uri: ClassVar[str]
    slow_s: ClassVar[float] = 0.0  # before a stored file is confirmed; then nothing else is done
    chance: ClassVar[random.Random] = random.Random(0)

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.slow_s and len(body) > 20_000:
            self.reply(413, b"<html>Request Entity Too Large</html>")
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
        response = requests.request(
            self.command, self.server_uri + self.path, data=body, headers=headers, timeout=60
        )
        if self.slow_s:
            time.sleep(self.slow_s * self.path.endswith("config.yaml"))  # not for each file of code
            self.reply(response.status_code, response.content)
        elif "/mlflow-artifacts/" not in self.path and self.chance.random() < 1 / 3:
            self.close_connection = True
            self.connection.close()
        else:
            self.reply(response.status_code, response.content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def reply(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def proxy(tracking_server: TrackingServer) -> Iterator[str]:
    Proxy.server_uri = tracking_server.uri
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_proxy_that_loses_answers_and_takes_nothing_large(
    told: Tell, proxy: str, tracking_server: TrackingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are made smaller; the file that is too large is said; nothing is there twice."""
    folder = RunFolder(Path(told.folder))
    journal = JournalWriter(folder.upload.journal)
    for step in range(100, 140):
        points = {f"more/{i}": 1.5 for i in range(20)}
        journal.append(MetricsRecord(metrics=points, step=step, time_ms=step))
    (folder.path / "after.txt").write_text("after")
    journal.append(ArtifactRecord(path="after.txt", time_ms=1))
    journal.close()
    told.uri, told.tracking = proxy, {}
    for key, value in ONE_TRY.items():
        monkeypatch.setenv(key, value)
    run_upload = RunUpload(folder, told.config)
    failures = upload_with_retries(run_upload, retries=200)
    assert failures > 3
    client, run_id = MlflowClient(tracking_server.uri), folder.upload.position()["run_id"]
    for key, points in told_points(folder.path).items():
        there = [(m.step, m.value, m.timestamp) for m in client.get_metric_history(run_id, key)]
        assert sorted(there) == sorted(points), key
    assert len(client.search_runs(["1"])) == 1
    assert "after.txt" in {item.path for item in client.list_artifacts(run_id)}
    refused = refused_records(folder)
    assert [record["op"] for record in refused] == ["artifact", "model"]  # of 100 kB
    assert folder.upload.count_pending() == 0


def test_a_server_that_stores_files_slowly_has_the_time(
    told: Tell, proxy: str, tracking_server: TrackingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload has a timeout of its own; the environment, which other threads read, stays."""
    monkeypatch.setattr(Proxy, "slow_s", 3.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    seen: list[str] = []
    log_artifact = MlflowClient.log_artifact

    def watch(*arguments: Any, **options: Any) -> None:
        seen.append(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"])
        log_artifact(*arguments, **options)

    monkeypatch.setattr(MlflowClient, "log_artifact", watch)
    told.uri, told.tracking = proxy, {}
    folder = RunFolder(Path(told.folder))
    upload_with_retries(RunUpload(folder, told.config), retries=20)  # of its other requests
    check_all_arrived(MlflowClient(tracking_server.uri), folder.path)
    assert set(seen) == {"2"}
    assert len(seen) >= 2


def kill(child: psutil.Process) -> None:
    """Kill it, and return when its parent can read its exit status: its last thread is gone."""
    child.kill()
    wait_for(lambda: child.status() == psutil.STATUS_ZOMBIE and child.num_threads() == 1, 30)


def test_a_sender_that_is_killed_at_the_end_is_started_again(tmp_path: Path) -> None:
    """It dies when the training has ended and only waits for the rest of the upload."""
    told = Tell(str(tmp_path / "run"), f"sqlite:///{tmp_path}/mlflow.db", steps=51, gate=True)
    open_store(told.config)
    process = told.start()
    try:
        wait_for_line(process, "step 50")
        wait_for(lambda: senders_of(process.pid), 30)
        [sender] = senders_of(process.pid)
        sender.suspend()  # so that it cannot be done before it is killed
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        journal = RunFolder(Path(told.folder)).upload.journal
        wait_for(lambda: b"FINISHED" in journal.read_bytes(), 30)
        sender.kill()
        code, out, err = finish(process)
        assert code == 0, err
        assert "left 0 0" in out
        check_all_arrived(MlflowClient(told.uri), tmp_path / "run")
    finally:
        process.kill()
        process.communicate()


def test_a_sender_that_is_killed_again_and_again(tmp_path: Path) -> None:
    """Another one goes on, while the UI's server reads the same file."""
    database = f"sqlite:///{tmp_path}/mlflow.db"
    told = Tell(str(tmp_path / "run"), database, steps=300, gate=True)
    open_store(told.config)
    ui = TrackingServer(tmp_path, database)
    process = told.start()
    try:
        ui.start()
        assert process.stdin is not None
        for step in (50, 150, 250):
            wait_for_line(process, f"step {step}")
            wait_for(lambda: senders_of(process.pid), 30)  # the next one may just be starting
            [sender] = senders_of(process.pid)
            kill(sender)
            assert requests.get(f"{ui.uri}/api/2.0/mlflow/experiments/get?experiment_id=1",
                                timeout=60).ok  # fmt: skip
            process.stdin.write("\n")
            process.stdin.flush()
        code, out, err = finish(process)
        assert code == 0, err
        assert "left 0 0" in out
        check_all_arrived(MlflowClient(ui.uri), tmp_path / "run")
        assert "locked" not in out + err + (tmp_path / "server.log").read_text()
    finally:
        process.kill()
        process.communicate()
        ui.stop()


OPENERS = """
import os, sys, time
from multiprocessing import get_context
from sightline.config.schema import TrackingConfig
from sightline.tracking.mlflow.store import open_store
from mlflow.entities import Metric

def use(uri, barrier, number):
    barrier.wait()
    config = TrackingConfig(uri=uri, experiment="e", run_name=None, offline=False,
        start_timeout_s=10, flush_timeout_s=60, system_metrics_interval_s=None,
        register_as=None)
    store = open_store(config)
    run = store.client.create_run(store.experiment_id, run_name=str(number))
    for step in range(20):
        points = [Metric(f"m{k}", step + k, step, step) for k in range(50)]
        store.client.log_batch(run.info.run_id, points)
    store.client.set_terminated(run.info.run_id)

if __name__ == "__main__":
    context = get_context("fork")  # they have imported all they need: the moment is the same
    barrier = context.Barrier(16)
    processes = [context.Process(target=use, args=[sys.argv[1], barrier, n]) for n in range(16)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    sys.exit(max(process.exitcode for process in processes))
"""


def test_sixteen_first_uses_of_no_store_at_once(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    done = subprocess.run([sys.executable, "-c", OPENERS, uri], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "locked" not in done.stderr
    client = MlflowClient(uri)
    runs = client.search_runs(["1"])
    assert sorted(int(run.info.run_name) for run in runs) == list(range(16))
    for run in runs:
        assert run.info.status == "FINISHED"
        assert len(client.get_metric_history(run.info.run_id, "m49")) == 20


def test_a_store_on_a_network_file_system_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert network_file_system(tmp_path / "mlflow.db") is None

    class Mount:
        def __init__(self, mountpoint: str, fstype: str) -> None:
            self.mountpoint, self.fstype = mountpoint, fstype

    mounts = [Mount("/", "ext4"), Mount(str(tmp_path.parent), "fuse.fuse-overlayfs")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    assert network_file_system(tmp_path / "mlflow.db") is None
    for kind in ("nfs", "nfs4", "cifs", "lustre", "fuse.sshfs", "9p"):
        mounts[2:] = [Mount(str(tmp_path), kind)]
        assert network_file_system(tmp_path / "a" / "mlflow.db") == kind
        assert network_file_system(Path("/elsewhere/mlflow.db")) is None
    mounts.append(Mount(str(tmp_path), "ext4"))  # mounted over it
    assert network_file_system(tmp_path / "mlflow.db") is None


def refused(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(response=response)


def test_what_is_refused_and_what_passes() -> None:
    for status in (400, 404, 409, 413, 415, 422, 501):
        assert is_refusal(refused(status)), status
        html = MlflowException(
            f"API request failed with error code {status} != 200. Body: '<html>'"
        )
        assert http_status(html) == status
        assert is_refusal(html)
    for status in (401, 403, 408, 429, 500, 502, 503, 507):
        assert not is_refusal(refused(status)), status
    assert is_refusal(MlflowException("no", error_code=INVALID_PARAMETER_VALUE))
    assert not is_refusal(MlflowException("locked", error_code=TEMPORARILY_UNAVAILABLE))
    assert not is_refusal(requests.ConnectionError("refused"))
    assert describe(requests.ConnectionError("x")) == "MLflow cannot be reached (x)"
