"""Disks that are full or read-only, mounted for real: nothing that was told before is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from support.commands import SMALL, finish, start
from support.telling import Tell, told_points

from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import JournalWriteError, JournalWriter, read_journal
from sightline.runs.journal.records import MetricsRecord

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount")

Mount = Callable[..., Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount a small file system of its own, or mount it again otherwise."""
    place = tmp_path / "small"
    place.mkdir()

    def mounting(options: str) -> Path:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
        return place

    probe = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=False)
    if probe.returncode != 0:
        pytest.skip("mounting is not allowed here")
    subprocess.run(["umount", place], check=True)
    yield mounting
    subprocess.run(["umount", "-l", place], check=False)


def metrics(step: int) -> MetricsRecord:
    return MetricsRecord(metrics={"val/loss": 1.0, "x" * 200: 2.0}, step=step, time_ms=step)


def fill(journal: JournalWriter) -> int:
    """Append until the disk is full; how many records are there."""
    for step in range(100_000):
        try:
            journal.append(metrics(step), sync=step % 100 == 0)
        except JournalWriteError:
            return step
    raise AssertionError("it never became full")


def test_a_full_disk_keeps_what_was_told(mount: Mount) -> None:
    folder = mount("size=256k")
    journal = JournalWriter(folder / "journal.jsonl")
    count = fill(journal)
    assert count > 100
    assert [r for r, _ in read_journal(journal.path)] == [metrics(step) for step in range(count)]
    for _ in range(3):
        with pytest.raises(JournalWriteError, match="No space left"):
            journal.append(metrics(count))
    mount("size=1m,remount")
    journal.append(metrics(count), sync=True)
    assert [r for r, _ in read_journal(journal.path)] == [
        metrics(step) for step in range(count + 1)
    ]
    journal.close()


def test_a_disk_that_becomes_read_only_keeps_what_was_told(mount: Mount) -> None:
    folder = mount("size=256k")
    journal = JournalWriter(folder / "journal.jsonl")
    journal.append(metrics(0), sync=True)
    journal.close()
    mount("ro,remount")
    with pytest.raises(JournalWriteError, match="Read-only file system"):
        journal.append(metrics(1))
    assert [r for r, _ in read_journal(journal.path)] == [metrics(0)]


def test_a_run_on_a_full_disk_ends_as_failed_with_all_it_could_tell(
    mount: Mount, tmp_path: Path
) -> None:
    """The journal cannot hold the status; the sender says it all the same."""
    folder = mount("size=200k") / "run"
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    code, out, err = finish(Tell(str(folder), uri, steps=5000, pause_s=0.002).start())
    assert code == 1, out
    assert f"Cannot write {RunFolder(folder).upload.journal}: No space left on device" in err
    assert "Traceback" not in err
    client = MlflowClient(uri)
    [run] = client.search_runs(["1"])
    assert run.info.status == "FAILED"
    assert run.data.tags["error"] == "the run's folder could not be written"
    points = told_points(folder)
    assert len(points["val/m0"]) > 100
    for key, told in points.items():
        assert len(client.get_metric_history(run.info.run_id, key)) == len(told)


def test_read_only_folders_are_refused_at_the_start(mount: Mount, tmp_path: Path) -> None:
    place = mount("ro,size=256k")
    work = tmp_path / "work"
    work.mkdir()
    for argument in (f"hydra.run.dir={place}/run", f"tracking.uri=sqlite:///{place}/mlflow.db"):
        code, out, err = finish(start(work, "train", *SMALL, argument))
        assert code == 1
        assert "Traceback" not in out + err
        assert "Read-only file system" in err
        assert str(place) in err
        assert not list(work.glob("runs/*/*"))
