"""Damage to the files of a run's folder, and the commands that meet it, in this process."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sightline.commands import run_command
from sightline.errors import UserError
from sightline.paths import project_root
from sightline.runs.place import FILE as PLACE
from sightline.runs.place import record_place
from sightline.training.checkpointing.last import LastCheckpoint
from sightline.training.job import run_frozen
from support.images import make_split_images

Damage = Callable[[bytes, bytes], bytes | None]
COMMANDS = ("resume", "runs", "sync", "evaluate", "predict", "compare", "reproduce")
WRITTEN_ONLY = (".png", ".csv", ".log", ".lock", ".txt")
TINY = ["data=folder", "trainer=cpu", "trainer.max_epochs=3", "model.widths=[4,8]",
        "model.hidden=16", "tracking.system_metrics_interval_s=null", "report=none",
        "data.num_workers=0", "tracking.offline=true"]  # fmt: skip


class Reached(Exception):
    """A training would begin here, with everything checked."""


class NoSender:
    """In the place of a client of the sender process: nothing is uploaded."""

    run = None
    failed = False

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


@dataclass(frozen=True)
class Case:
    """A run, and another one whose files are put in the place of its own.

    Attributes:
        work: the folder that all of it is in, with its data and a store.
        folder, other: of runs with other seeds.
    """

    work: Path
    folder: Path
    other: Path


@contextmanager
def quick(work: Path, train: bool) -> Iterator[None]:
    """Commands without a sender's process and figures; a training's epochs only where wanted."""

    def reach(*_: Any, **__: Any) -> None:
        raise Reached

    png = next((work / "images").rglob("*.png")).read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for module in ("training.job", "evaluation.destination", "tracking.sender.client"):
            patch.setattr(f"sightline.{module}.SenderClient", NoSender)
        for module in ("training.logging.evaluation", "training.logging.epochs"):
            patch.setattr(f"sightline.{module}.draw_confusion", lambda *_, **__: None)
            patch.setattr(f"sightline.{module}.to_png", lambda *_, **__: png)
        if not train:
            patch.setattr("sightline.training.run.set_up", reach)
            patch.setattr("sightline.training.rerun.run_job", reach)
        project_root.cache_clear()
        yield
    project_root.cache_clear()


def make_runs(work: Path) -> dict[str, Case]:
    """Finished runs of two seeds, and the same as they were when two of three epochs were done."""
    (work / "pyproject.toml").touch()
    make_split_images(work / "images", {"train": 12, "val": 6, "test": 6})
    save, saved = LastCheckpoint._save, []

    def save_and_copy(self: LastCheckpoint, trainer: Any) -> None:
        save(self, trainer)
        folder = self.path.parent.parent
        saved.append(folder)
        if saved.count(folder) == 2:
            shutil.copytree(folder, work / f"interrupted_{folder.name}")

    with quick(work, train=True), pytest.MonkeyPatch.context() as patch:
        patch.setattr(LastCheckpoint, "_save", save_and_copy)
        for seed in (0, 1):
            words = [*TINY, f"data.root={work}/images", f"seed={seed}"]
            assert run_command("train", [*words, f"hydra.run.dir={work}/{seed}"]) == 0
    for path in work.glob("interrupted_*/alive.json"):
        path.unlink()
    return {
        "finished": Case(work, work / "0", work / "1"),
        "interrupted": Case(work, work / "interrupted_0", work / "interrupted_1"),
    }


def damages(truncated: Sequence[int]) -> dict[str, Damage]:
    """Each damage by name: from a file's content and that of another run's to what is left."""

    def cut(elevenths: int) -> Damage:
        return lambda content, _: content[: len(content) * elevenths // 11]

    def flip(content: bytes, _: bytes) -> bytes:
        at = len(content) * 5 // 8
        return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]

    found: dict[str, Damage] = {
        "missing": lambda *_: None,
        "empty": lambda *_: b"",
        "flipped": flip,
        "another run's": lambda _, other: other,
    }
    return found | {f"cut at {each}/11": cut(each) for each in truncated}


def files_of(folder: Path) -> list[str]:
    """The files of a run that a command may read; the others are for people."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != PLACE)
    return sorted(str(each.relative_to(folder)) for each in found
                  if each.suffix not in WRITTEN_ONLY)  # fmt: skip


def damaged(case: Case, file: str, damage: Damage) -> Path | None:
    """A copy of the run with one file damaged; None where that makes no difference."""
    to = case.work / "damaged"
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(case.folder, to)
    record_place(to, to / "tracking")  # the damaged run itself, and not a copy of one
    content, beside = (to / file).read_bytes(), case.other / file
    left = damage(content, beside.read_bytes() if beside.is_file() else b"")
    if left is None:
        (to / file).unlink()
        return to
    (to / file).write_bytes(left)
    return None if left == content else to


def result(command: str, folder: Path, case: Case) -> Any:
    """What a command does with a run: its results, `begins`, or the message of its error."""
    try:
        with quick(case.work, train=False):
            return _run(command, folder, case)
    except Reached:
        return "begins"
    except UserError as error:
        return error


def _run(command: str, folder: Path, case: Case) -> Any:
    named = f"run={folder}"
    images = case.work / "images" / "test"
    match command:
        case "resume":
            return run_frozen(folder, [])
        case "runs" | "sync":
            return run_command(command, [str(folder)])
        case "evaluate":
            run_command(command, [named, "split=val", "report=false", "device=cpu"])
            return json.loads((folder / "metrics/val.json").read_text())
        case "predict":
            run_command(command, [named, f"input={images}", "output=p.csv", "overwrite=true",
                                  "device=cpu", "num_workers=0"])  # fmt: skip
            return Path("p.csv").read_text()
        case "compare":
            run_command(command, [f"runs=[{folder},{case.other}]", "output=c", "overwrite=true",
                                  "resamples=20"])  # fmt: skip
            if not Path("c/tests.csv").is_file():
                return "not compared"
            with Path("c/tests.csv").open() as stream:
                [row] = csv.DictReader(stream)
            return row["difference"], row["why not tested"]
    assert command == "reproduce"
    return run_command(command, [named, "data.num_workers=0"])


def verdict(file: str, found: Any, intact: Any, printed: str) -> bool:
    """Whether damage did no harm: the result is as of an intact run, or the file is named."""
    name = Path(file).name
    if isinstance(found, UserError):
        return name in str(found) or ("journal.jsonl" in str(found) and file == "run.json")
    return found == intact or name in f"{found} {printed}"
