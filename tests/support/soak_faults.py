"""Faults of the soak: what a run meets before the same command is given again."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.commands import finish, start
from support.server import TrackingServer
from support.soak import kill_all

DAY_S = 86_400
RESTORED = ("checkpoints/last.ckpt", "tracking/sent.json", "tracking/store.json",
            "tracking/place.json")  # fmt: skip


@dataclass
class Trial:
    """One run that is interrupted.

    Attributes:
        root: the working folder, with the store.
        folder: the run's own.
        words: of its command.
        duration_s: of the run without an interruption.
        rng: draws what is done, and when.
        done: what was done, for the table.
    """

    root: Path
    folder: Path
    words: list[str]
    duration_s: float
    rng: random.Random
    done: str = ""

    def start(self) -> subprocess.Popen[str]:
        """The command, as a process."""
        return start(self.root, *self.words, f"hydra.run.dir={self.folder}")

    def kill(self) -> None:
        """Start it, and kill it and mostly its sender at a random moment."""
        process, after_s = self.start(), self.rng.uniform(0, self.duration_s)
        time.sleep(after_s)
        if process.poll() is None:
            kill_all(process.pid, with_sender=self.rng.random() < 0.7)
            self.done += f" killed after {after_s:.1f} s;"
        finish(process)


def killed(trial: Trial) -> None:
    """SIGKILL, once to three times."""
    for _ in range(trial.rng.randint(1, 3)):
        trial.kill()


def second_writer(trial: Trial) -> None:
    """The same command twice at once, and a kill: one of the two trains, the other says why not."""
    processes = [trial.start(), trial.start()]
    time.sleep(trial.rng.uniform(0, trial.duration_s))
    kill_all(processes[0].pid, with_sender=True)
    ends = [finish(process) for process in processes]
    trial.done += f" two writers ended with {[code for code, *_ in ends]};"
    for code, _, err in ends:
        assert code in (0, -9) or "in use by process" in err, err


def copied(trial: Trial) -> None:
    """A copy of the folder of a killed run: it is refused, and changes nothing."""
    trial.kill()
    copy = trial.folder.with_name(f"{trial.folder.name}-copy")
    if not (trial.folder / "tracking/place.json").is_file():
        return
    shutil.copytree(trial.folder, copy)
    code, _, err = finish(start(trial.root, *trial.words, f"hydra.run.dir={copy}"))
    assert code == 1, err
    assert "is a copy of" in err, err
    trial.done += " a copy was refused;"


def damaged(trial: Trial) -> None:
    """A file that can be restored: cut, emptied, gone, or another in one byte."""
    trial.kill()
    found = [trial.folder / name for name in RESTORED if (trial.folder / name).is_file()]
    if not found:
        return
    path = trial.rng.choice(found)
    content = bytearray(path.read_bytes())
    how = trial.rng.choice(["cut", "empty", "gone", "flipped"])
    if how == "flipped" and content:
        content[trial.rng.randrange(len(content))] ^= 1 << trial.rng.randrange(8)
    path.write_bytes({"cut": content[: len(content) // 2], "empty": b""}.get(how, bytes(content)))
    if how == "gone":
        path.unlink()
    trial.done += f" {path.name} {how};"


def torn(trial: Trial) -> None:
    """The last line of the journal, cut as a crash of the machine cuts it."""
    trial.kill()
    journal = trial.folder / "tracking/journal.jsonl"
    if journal.is_file():
        with journal.open("ab") as stream:
            stream.write(b'{"op": "metrics", "step": 3, "metr')
        trial.done += " the journal's last line torn;"


def clock(trial: Trial) -> None:
    """A clock that was changed: every file of the run seems to be from another day."""
    trial.kill()
    offset_s = trial.rng.choice([-DAY_S, DAY_S])
    for path in trial.folder.rglob("*"):
        if path.exists():
            moment = path.stat().st_mtime + offset_s
            os.utime(path, (moment, moment))
    trial.done += f" clock changed by {offset_s} s;"


@contextmanager
def _small_disk(place: Path) -> Iterator[None]:
    place.mkdir(parents=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=50m", "tmpfs", place], check=False)
    if made.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=False)


def full_disk(trial: Trial) -> None:
    """The disk of the run's folder becomes full at a random moment, and has room again."""
    with _small_disk(trial.folder):
        process = trial.start()
        time.sleep(trial.rng.uniform(0, trial.duration_s))
        filler = trial.folder.parent / "filler"
        with (trial.folder / ".filler").open("wb") as stream:
            try:
                while stream.write(bytes(2**16)):
                    stream.flush()
            except OSError:
                pass  # full
        code, _, err = finish(process)
        (trial.folder / ".filler").unlink()
        assert code == 0 or "Traceback" not in err, err
        trial.done += f" the disk became full, status {code};"
        shutil.copytree(trial.folder, filler)
    trial.folder.rmdir()
    filler.rename(trial.folder)


def server(trial: Trial) -> None:
    """A tracking server that is killed at a random moment and started again, twice."""
    serving = TrackingServer(trial.root, f"sqlite:///{trial.root}/mlflow.db")
    serving.start()
    trial.words += [f"tracking.uri={serving.uri}", "tracking.offline=auto"]
    try:
        process = trial.start()
        for _ in range(2):
            time.sleep(trial.rng.uniform(0, trial.duration_s))
            serving.stop()
            time.sleep(trial.rng.uniform(0, 3))
            serving.start()
        code, _, err = finish(process)
        assert code == 0, err
        code, _, err = finish(start(trial.root, "sync", str(trial.folder)))
        assert code == 0, err
    finally:
        serving.stop()
    trial.words.pop(-2)
    trial.done += " the server killed twice;"


FAULTS: dict[str, Callable[[Trial], None]] = {
    each.__name__: each
    for each in (killed, second_writer, copied, damaged, torn, clock, full_disk, server)
}
