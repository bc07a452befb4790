"""A disk that is full or cannot be written: one message, nothing earlier lost, and it goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands import QUICK, Done, Sightline
from support.differences import checkpoint_differences, histories

from sightline.errors import UserError
from sightline.runs.journal.file import JournalWriter, read_journal
from sightline.runs.journal.records import StatusRecord

KIB = 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system of its own in memory; called again, with other options."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts file systems")
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        mounted = place.is_mount()
        kind = ["-o", f"remount,{options}"] if mounted else ["-t", "tmpfs", "-o", options, "tmpfs"]
        done = subprocess.run(["mount", *kind, place], capture_output=True, text=True, check=False)
        if done.returncode and not mounted:
            pytest.skip(f"mount: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
        return place

    yield mount
    subprocess.run(["umount", "-l", place], check=False, capture_output=True)


def command(folder: Path) -> list[str]:
    return ["train", *QUICK, "trainer.max_epochs=2", "checkpoint.every_n_steps=7",
            f"hydra.run.dir={folder}"]  # fmt: skip


def assert_refused(done: Done, place: Path) -> None:
    assert done.status == 1
    assert done.err.count("Error: ") == 1
    assert "Traceback" not in done.err
    assert str(place) in done.err


def test_a_run_goes_on_when_there_is_room_again(
    sightline: Sightline, small_disk: Callable[[str], Path], tmp_path: Path
) -> None:
    place = small_disk("size=8m")
    ballast = place / "ballast"
    for free in (40, 250):  # KiB: within the first records, checkpoints, figures
        room = os.statvfs(place)
        taken = ballast.stat().st_size if ballast.exists() else 0
        taken += room.f_bavail * room.f_frsize - free * KIB
        ballast.write_bytes(bytes(taken))
        done = sightline(*command(place / "run"))
        assert_refused(done, place)
        assert "No space left on device" in done.err
    ballast.unlink()
    done = sightline(*command(place / "run"))
    assert done.status == 0, done.err
    whole = sightline(*command(tmp_path / "whole"))
    assert whole.status == 0, whole.err
    assert histories(place / "run") == histories(tmp_path / "whole")
    assert not list(checkpoint_differences(place / "run", tmp_path / "whole"))
    assert {run.info.status for run in whole.runs} == {"FINISHED"}
    assert len(whole.runs) == 2


def test_a_disk_that_cannot_be_written_is_one_message(
    sightline: Sightline, small_disk: Callable[[str], Path]
) -> None:
    place = small_disk("size=8m")
    journal = JournalWriter(place / "run" / "tracking" / "journal.jsonl")
    journal.append(StatusRecord(status="RUNNING"), sync=True)
    journal.close()
    (place / "empty").mkdir()
    small_disk("ro")
    with pytest.raises(UserError, match="Read-only file system"):
        journal.append(StatusRecord(status="KILLED"))
    assert [record.to_json()["status"] for record, _ in read_journal(journal.path)] == ["RUNNING"]
    for folder in (place / "empty", place / "new"):  # root may write into any folder, but not here
        done = sightline(*command(folder))
        assert_refused(done, place)
        assert "Read-only file system" in done.err
        assert not done.runs
