"""One writer in a run: whatever clocks, frozen processes and copied folders make of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from support.telling import Tell

from sightline.commands import run_command
from sightline.errors import UserError
from sightline.runs import lock_owner, locked_folder
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import JournalWriter
from sightline.runs.journal.records import RunRecord, StatusRecord
from sightline.runs.lock import Fence, LockLostError, run_lock
from sightline.runs.lock_owner import read_owner, start_ticks, this_process
from sightline.tracking.mlflow.store import Store
from sightline.tracking.mlflow.tags import RUN_FOLDER, RUN_KEY
from sightline.tracking.sender.process import TrainingProcess, _record_failure
from sightline.tracking.sender.run_upload import RunUpload
from sightline.tracking.tracker import Tracker
from sightline.training.checkpointing.files import AtomicCheckpointIO

# A process that works in a folder: it writes a metric for each line of its input.
WORKER = """
import sys
from pathlib import Path
from sightline.errors import UserError
from sightline.runs.folder import RunFolder
from sightline.tracking.tracker import Tracker
folder = RunFolder(Path(sys.argv[1]))
try:
    with folder.lock():
        tracker = Tracker(folder)
        tracker.start("a run", {"run_key": "its key", "run_folder": sys.argv[1]})
        print("begun", flush=True)
        try:
            for step, line in enumerate(sys.stdin):
                tracker.log_metrics({"train/loss": 1.0}, step=step)
                print("written", flush=True)
        except BaseException:
            tracker.finish("FAILED")
            raise
except UserError as error:
    sys.exit(f"Error: {error}")
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A real process that holds `run` and has begun it."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, tmp_path / "run"], text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    yield process
    process.kill()
    process.communicate()


def write_line(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def refused(folder: Path) -> bool:
    try:
        with run_lock(folder):
            return False
    except UserError as error:
        return "two processes cannot work" in str(error)


def silent(folder: Path) -> None:
    """As if its last heartbeat were long ago."""
    long_ago = time.time() - 1000
    os.utime(folder / lock_owner.LOCK, (long_ago, long_ago))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is on another machine, by a file system that does not pass locks on."""
    monkeypatch.setattr(lock_owner, "space", lambda: "another machine")
    monkeypatch.setattr(lock_owner, "_is_locked", lambda _: False)


def test_a_step_of_the_clock_ends_nobody(
    worker: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: real(self) + 5)
    silent(tmp_path / "run")
    assert refused(tmp_path / "run")
    write_line(worker)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "written\n"


def test_the_start_in_ticks_is_that_of_proc() -> None:
    """An independent source: `ps` has the same field, counted in seconds since boot."""
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    since_boot = psutil.Process().create_time() - psutil.boot_time()
    assert ticks / os.sysconf("SC_CLK_TCK") == pytest.approx(since_boot, abs=2)
    assert start_ticks(2**30) is None


@pytest.mark.parametrize("change", [{"ticks": 1}, {"pid": 2**30}, {"ticks": None, "started": 0.0}])
def test_a_process_id_that_came_again_holds_nothing(
    tmp_path: Path, change: dict[str, object]
) -> None:
    """The last is the file of an earlier version."""
    facts = json.loads(this_process().to_json()) | change
    stored = {key: value for key, value in facts.items() if value is not None or key != "ticks"}
    (tmp_path / lock_owner.LOCK).write_text(json.dumps(stored))
    assert not refused(tmp_path)
    (tmp_path / lock_owner.LOCK).write_text(this_process().to_json())
    assert refused(tmp_path)


def test_the_systems_lock_counts_where_process_ids_do_not(
    worker: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another container, or a machine on a file system that passes locks on: frozen is not dead."""
    worker.send_signal(signal.SIGSTOP)
    silent(tmp_path / "run")
    monkeypatch.setattr(lock_owner, "space", lambda: "another container")
    assert refused(tmp_path / "run")
    worker.kill()
    worker.wait()
    silent(tmp_path / "run")
    assert not refused(tmp_path / "run")


@pytest.mark.parametrize("ended", [False, True], ids=["still-works", "has-finished"])
@pytest.mark.usefixtures("elsewhere")
def test_a_process_that_was_frozen_writes_no_more(
    worker: subprocess.Popen[str], tmp_path: Path, ended: bool
) -> None:
    """It stops with one message, and its FAILED does not follow the other's FINISHED."""
    worker.send_signal(signal.SIGSTOP)
    silent(tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    with folder.lock():
        Tracker(folder).finish("FINISHED")
        whole = folder.upload.journal.read_bytes()
        if not ended:
            _, err = wake(worker)
    if ended:
        _, err = wake(worker)
    assert worker.returncode == 1
    assert "was taken over by" in err
    assert len(err.strip().splitlines()) == 1
    assert folder.upload.journal.read_bytes() == whole
    assert RunFolder(folder.path).status == "FINISHED"


def wake(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGCONT)
    return process.communicate("\n", timeout=60)


@pytest.mark.usefixtures("elsewhere")
def test_a_write_that_was_under_way_does_not_arrive(tmp_path: Path) -> None:
    """Frozen between the check and the write: the open file is not the folder's any more."""
    folder = RunFolder(tmp_path)
    late = JournalWriter(folder.upload.journal)
    late.append(RunRecord(name="a run", tags={}))
    unfinished = tmp_path / "checkpoints/.last.ckpt.0.partial"
    unfinished.parent.mkdir()
    unfinished.touch()
    frozen = replace(this_process(), space="a third machine")
    (tmp_path / lock_owner.LOCK).write_text(frozen.to_json())
    silent(tmp_path)
    with folder.lock():
        late.append(StatusRecord(status="FAILED"))
        assert folder.status is None
    assert not unfinished.exists()


@pytest.mark.usefixtures("elsewhere")
def test_a_lock_that_is_lost_stays_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the other process has ended, and its lock is gone."""
    with run_lock(tmp_path) as first:
        silent(tmp_path)
        monkeypatch.setattr(lock_owner, "space", lambda: "a third machine")
        with run_lock(tmp_path) as second:
            assert second.took_over
            owner = read_owner(tmp_path)
            assert owner is not None
            assert owner.token == second.token
            with pytest.raises(LockLostError):
                first.check()
            second.check()
        assert read_owner(tmp_path) is None
        with pytest.raises(LockLostError):
            first.check()


def lose(folder: RunFolder) -> None:
    """Let another process have the folder."""
    (folder.path / lock_owner.LOCK).unlink()
    (folder.path / lock_owner.LOCK).write_text(this_process().to_json())


def test_checkpoints_and_results_are_not_written_any_more(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.lock():
        writer = AtomicCheckpointIO(False, folder.check_held)
        writer.save_checkpoint({"epoch": 1}, folder.last)
        tracker = Tracker(folder)
        tracker.log_json({}, "results.json")
        before = {path: path.read_bytes() for path in tmp_path.rglob("*.[jc]*") if path.is_file()}
        lose(folder)
        for write in (
            lambda: writer.save_checkpoint({"epoch": 2}, folder.last),
            lambda: writer.remove_checkpoint(folder.last),
            lambda: tracker.log_json({"more": 1}, "results.json"),
            lambda: tracker.finish("FAILED"),
        ):
            with pytest.raises(LockLostError, match="was taken over by process"):
                write()
        lock = tmp_path / lock_owner.LOCK
        after = {path: path.read_bytes() for path in tmp_path.rglob("*.[jc]*") if path.is_file()}
        assert {**after, lock: b""} == {**before, lock: b""}
        assert list(folder.last.parent.iterdir()) == [folder.last]


def test_the_sender_of_a_frozen_training_uploads_no_more(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.lock():
        Tracker(folder).start("a run", {RUN_KEY: "key"})
        token = folder.token
    sender = RunFolder(tmp_path)
    sender.work_for(token)
    sender.check_held()  # the training ended, and the rest is uploaded
    (tmp_path / lock_owner.LOCK).write_text(this_process().to_json())

    class Nothing(RunUpload):
        def delivery(self) -> None:  # type: ignore[override]
            """Reached before anything is uploaded."""

    def never(_: object) -> Store:
        raise AssertionError

    config = Tell(str(tmp_path), "sqlite:////nowhere").config
    with pytest.raises(LockLostError):
        Nothing(sender, config, never).upload_all()
    assert sender.upload.position() == {}


def test_a_thread_that_uploads_does_not_see_a_lock_half_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender of a killed training takes the lock to record FAILED, while a thread uploads."""
    sender = RunFolder(tmp_path)
    sender.work_for("the token of the training")
    lost: list[Exception] = []

    def check() -> None:
        try:
            sender.check_held()
        except LockLostError as error:
            lost.append(error)

    checks = [threading.Thread(target=check) for _ in range(2)]

    @contextmanager
    def slow(folder: Path) -> Iterator[Fence]:
        with run_lock(folder) as fence:
            checks[0].start()
            checks[0].join(0.2)  # a lock's file is there, and its token is not known yet
            yield fence
            checks[1].start()
            checks[1].join(0.2)  # its token is forgotten, and its file still there

    monkeypatch.setattr(locked_folder, "run_lock", slow)
    with sender.lock():
        pass
    for each in checks:
        each.join()
    assert lost == []
    sender.check_held()


def test_failed_is_not_recorded_after_finished(tmp_path: Path) -> None:
    """By `sightline runs --reap`, and by a sender: each had read RUNNING before."""
    for number, record in enumerate(("reap", "sender")):
        folder = RunFolder(tmp_path / str(number))
        with folder.lock():
            Tracker(folder).start("a run", {RUN_KEY: "key"})
        seen = RunFolder(folder.path)
        assert seen.status == "RUNNING"
        entered = seen.lock

        def lock(path: Path = folder.path, entered=entered):  # type: ignore[no-untyped-def]
            other = RunFolder(path)
            with other.lock():
                Tracker(other).finish("FINISHED")
            return entered()

        seen.lock = lock  # type: ignore[method-assign]
        if record == "reap":
            seen.mark_ended("FAILED", "its process is gone")
        else:
            config = Tell(str(folder.path), "sqlite:////nowhere").config
            training = object.__new__(TrainingProcess)
            training.report = ""
            _record_failure(RunUpload(seen, config), training)
        assert RunFolder(folder.path).status == "FINISHED"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that was logged and whose process is gone."""
    folder = RunFolder(tmp_path / "run")
    with folder.lock():
        tracker = Tracker(folder)
        tracker.start("a run", {RUN_KEY: "key", RUN_FOLDER: str(folder)})
        tracker.log_metrics({"train/loss": 1.0}, step=0)
    return folder.path


@pytest.mark.parametrize("earlier_version", [False, True])
def test_a_copied_folder_is_told_from_a_moved_one(
    run: Path, tmp_path: Path, earlier_version: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if earlier_version:
        (run / "tracking/place.json").unlink()
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    before = (copy / "tracking/journal.jsonl").read_bytes()
    with pytest.raises(UserError, match=f"is a copy of {run}"), RunFolder(copy).lock():
        raise AssertionError
    RunFolder(copy).upload.write_destination(Tell(str(copy), "sqlite:////nowhere").config)
    assert run_command("sync", [str(copy)]) == 1
    assert "is a copy of" in capsys.readouterr().err
    assert (copy / "tracking/journal.jsonl").read_bytes() == before
    with RunFolder(run).lock():  # the original goes on
        pass
    shutil.rmtree(copy / "tracking")  # as the message says
    with RunFolder(copy).lock():
        Tracker(RunFolder(copy)).start("another run", {RUN_KEY: "another key"})
    with RunFolder(copy).lock():
        pass


def test_a_moved_folder_is_the_run_still(run: Path, tmp_path: Path) -> None:
    """Renamed; moved to another disk, which is a copy without an original; restored; linked."""
    renamed = run.rename(tmp_path / "renamed")
    with RunFolder(renamed).lock():
        pass
    moved = Path(shutil.copytree(renamed, tmp_path / "moved"))
    shutil.rmtree(renamed)
    with RunFolder(moved).lock():
        pass
    assert json.loads((moved / "tracking/place.json").read_text())["path"] == str(moved)
    restored = Path(shutil.copytree(moved, tmp_path / "backup"))
    shutil.rmtree(moved)
    restored.rename(moved)
    (tmp_path / "link").symlink_to(moved)
    with RunFolder(tmp_path / "link").lock():
        pass
    # The original has another name by now, and something else has its own.
    other = moved.rename(tmp_path / "other")
    shutil.copytree(other, moved)
    with RunFolder(other).lock():
        pass
    with (
        pytest.raises(UserError, match="is a copy of"),
        RunFolder(Path(shutil.copytree(other, tmp_path / "copy"))).lock(),
    ):
        raise AssertionError


@pytest.fixture
def mounted(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, Path]]:
    """A folder on a file system that is mounted, and the same one as it is seen elsewhere."""
    for name in ("lower", "upper", "work", "one", "other"):
        (tmp_path / name).mkdir()
    layers = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    how = {
        "tmpfs": ["-t", "tmpfs", "-o", "size=8m", "tmpfs"],
        "bind": ["--bind", str(tmp_path / "lower")],
        "overlay": ["-t", "overlay", "-o", layers, "overlay"],
    }[request.param]
    one, other = tmp_path / "one", tmp_path / "other"
    done = subprocess.run(["mount", *how, one], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"this machine mounts no {request.param}")
    try:
        subprocess.run(["mount", "--bind", one, other], check=True)
        yield one, other
    finally:
        subprocess.run(["umount", "-l", other], check=False)
        subprocess.run(["umount", "-l", one], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("mounted", ["tmpfs", "bind", "overlay"], indirect=True)
def test_one_writer_where_a_folder_is_mounted_twice(mounted: tuple[Path, Path]) -> None:
    """Mounted at two places, it is one folder: it has one lock, and neither place is a copy."""
    one, other = mounted
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, one / "run"], text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "begun\n"
        with pytest.raises(UserError, match=f"in use by process {process.pid} "):
            RunFolder(other / "run").lock().__enter__()
        lock = other / "run" / lock_owner.LOCK
        owner = json.loads(lock.read_text())
        lock.unlink()  # as another machine takes it over
        lock.write_text(json.dumps(owner | {"token": "another"}))
        before = (one / "run/tracking/journal.jsonl").read_bytes()
        out, err = process.communicate("\n", timeout=120)
        assert (out, process.returncode) == ("", 1)
        assert "was taken over" in err
        assert (other / "run/tracking/journal.jsonl").read_bytes() == before
        lock.unlink()
    finally:
        process.kill()
        process.communicate()
    with RunFolder(other / "run").lock():  # moved or seen elsewhere, it is no copy of itself
        pass
    with RunFolder(one / "run").lock():
        pass
