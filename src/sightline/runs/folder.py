"""The folder of a run as one object: frozen config, lock, journal, checkpoints, results, status."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sightline import __version__
from sightline.config.schema import Job, TrainConfig
from sightline.io.atomic import make_private, write_atomically
from sightline.io.folders import make_folder, remove_empty
from sightline.io.redaction import redact
from sightline.runs.frozen import Frozen, read_frozen, write_frozen
from sightline.runs.journal.file import JournalWriter
from sightline.runs.journal.records import StatusRecord, TagsRecord
from sightline.runs.locked_folder import LockedFolder
from sightline.tracking.mlflow.tags import ERROR, REAPED

BEST, LAST = "checkpoints/best.ckpt", "checkpoints/last.ckpt"  # the same paths in MLflow


class RunFolder(LockedFolder):
    """One run's folder. Nobody else knows which files it holds.

    Args:
        path: the folder; it need not exist yet.

    Attributes:
        best, last: the checkpoints.
        log: what the training printed.
        output: what a job's process printed, over all of its attempts.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.best = path / BEST
        self.last = path / LAST
        self.log = path / "train.log"
        self.output = path / "output.log"
        self._config = path / "run.json"
        self._results = path / "results.json"
        self._error = path / "error.txt"
        self._pruned = path / "pruned.txt"
        self._frozen: Frozen | None = None
        self._made: list[Path] = []  # folders that `freeze` made

    # What was launched.

    @property
    def frozen(self) -> Frozen | None:
        """The run that was launched here; None where none was.

        Raises:
            UserError: the file is damaged, or another version's.
        """
        if self._frozen is None:
            self._frozen = read_frozen(self._config)
        return self._frozen

    @property
    def is_launched(self) -> bool:
        """Whether a run was launched here."""
        return self._config.is_file()

    def freeze(self, config: TrainConfig, job: Job, data: dict[str, str] | None = None) -> None:
        """Write the run as it is launched: later edits of YAML no longer change it.

        Args:
            config: all values.
            job: where it runs.
            data: a digest of the content of each split, once it is read; None: those of before.
        """
        if data is None:
            before = self.frozen
            data = before.data if before is not None else {}
        self.check_held()
        self._made += make_folder(self.path)
        make_private(self.path)
        self._frozen = Frozen(config, job, __version__, data)
        write_frozen(self._config, self._frozen)

    def unfreeze(self) -> None:
        """Take back a launch that was refused; a folder that it made goes where it is empty."""
        self._config.unlink(missing_ok=True)
        self._frozen = None
        remove_empty(self._made)

    # What it logged.

    def mark_ended(self, status: str, reason: str) -> None:
        """Log the end of a run whose process is gone and could not log it.

        Args:
            status: FAILED or KILLED.
            reason: how it is known.

        Raises:
            UserError: a process works there, or may; one on another machine is known to be gone
                only when it was silent for a while.
        """
        with self.lock():
            if self.status != "RUNNING":  # another process resumed and ended it meanwhile
                return
            journal = JournalWriter(self.upload.journal, self.check_held)
            journal.append(TagsRecord(tags={ERROR: reason, REAPED: reason}))
            journal.append(StatusRecord(status=status), sync=True)
            journal.close()

    # What it reached.

    def results(self) -> dict[str, Any] | None:
        """What a finished run reached (`results.json`); None where it did not finish."""
        if self.status != "FINISHED" or not self._results.is_file():
            return None
        results: dict[str, Any] = json.loads(self._results.read_text(encoding="utf-8"))
        return results

    @property
    def finished_s(self) -> float:
        """When the results were written, seconds since 1970."""
        return self._results.stat().st_mtime

    @property
    def error(self) -> str:
        """The error of the last attempt; empty where there is none."""
        return self._error.read_text(encoding="utf-8").strip() if self._error.is_file() else ""

    @error.setter
    def error(self, text: str) -> None:
        if text:
            self._error.write_text(redact(text), encoding="utf-8")
        else:
            self._error.unlink(missing_ok=True)

    @property
    def pruned(self) -> str | None:
        """Why a search pruned this run; None where it did not."""
        return self._pruned.read_text(encoding="utf-8") if self._pruned.is_file() else None

    def prune(self, reason: str) -> None:
        """Record that a search prunes this run, before the signal that stops it."""
        write_atomically(self._pruned, reason)


def run_folders(root: Path) -> Iterator[RunFolder]:
    """Every run's folder under `root`, the newest first."""
    found = sorted(root.rglob("run.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return (RunFolder(path.parent) for path in found)
