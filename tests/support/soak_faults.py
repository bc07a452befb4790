"""Faults of the soak: what a run meets before the same command is given again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from sightline.runs.folder import RunFolder
from support.commands import ONE_THREAD, client_of, finish, start
from support.soak import kill_all
from support.soak_phases import PHASES
from support.soak_servers import answers, server
from support.soak_trial import Trial

DAY_S = 86_400
RESTORED = ("checkpoints/last.ckpt", "tracking/sent.json", "tracking/store.json",
            "tracking/place.json")  # fmt: skip


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
def _small_disk(place: Path, more: str = "") -> Iterator[None]:
    place.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size=50m{more}", "tmpfs", place]
    made = subprocess.run(mount, check=False)
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


def no_inodes(trial: Trial) -> None:
    """The disk of the run's folder takes no more files from a random moment on, and does again."""
    with _small_disk(trial.folder, ",nr_inodes=150"):
        process = trial.start()
        time.sleep(trial.rng.uniform(0, trial.duration_s))
        filled, copy = trial.folder / ".filled", trial.folder.parent / "with room"
        filled.mkdir()
        try:
            for number in range(150):
                (filled / str(number)).touch()
        except OSError:
            pass  # no inodes
        code, _, err = finish(process)
        shutil.rmtree(filled)
        assert code == 0 or "Traceback" not in err, err
        trial.done += f" the disk took no more files, status {code};"
        shutil.copytree(trial.folder, copy)
    trial.folder.rmdir()
    copy.rename(trial.folder)


def deleted(trial: Trial) -> None:
    """The run is deleted in MLflow at a random moment, and restored."""
    client, process = client_of(trial.root), trial.start()
    sent = trial.folder / "tracking/sent.json"
    while process.poll() is None and not sent.is_file():
        time.sleep(0.05)
    time.sleep(trial.rng.uniform(0, trial.duration_s / 2))
    location = RunFolder(trial.folder).upload.location
    if location is None:
        finish(process)
        return
    client.delete_run(location.run_id)
    code, _, err = finish(process)
    assert code == 0, err
    client.restore_run(location.run_id)
    code, out, err = finish(start(trial.root, "sync", str(trial.folder)))
    assert code == 0, out + err
    trial.done += " the run deleted and restored in MLflow;"


def phase(trial: Trial, name: str) -> None:
    """SIGKILL at an entry into a phase of the run, mostly of its sender too."""
    words = [name, str(trial.rng.randint(1, 2)), str(trial.rng.random() < 0.7), *trial.words]
    here = str(Path(__file__).parent.parent)
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "support.soak_phases", *words, f"hydra.run.dir={trial.folder}"],
        cwd=trial.root, env=os.environ | ONE_THREAD | {"PYTHONPATH": path}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    code, _, err = finish(process, timeout_s=1200)
    assert code in (0, -9), err
    killed_there = "killed" if code else "never killed, as it was not entered so often"
    trial.done += f" {killed_there} in {name}, entry {words[1]};"


FAULTS: dict[str, Callable[[Trial], None]] = (
    {
        each.__name__: each
        for each in (
            killed,
            second_writer,
            copied,
            damaged,
            torn,
            clock,
            full_disk,
            no_inodes,
            deleted,
            server,
        )
    }
    | {
        f"HTTP {kind}".replace("HTTP slow", "slow answers"): partial(answers, kind=kind)
        for kind in ("302", "401", "413", "429", "503", "slow")
    }
    | {f"killed in {name}": partial(phase, name=name) for name in PHASES}
)
