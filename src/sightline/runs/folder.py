"""The folder of a run as one object: frozen config, lock, journal, checkpoints, results, status."""

import logging
import uuid
from pathlib import Path
from typing import Any

from sightline import __version__
from sightline.config.schema import Job, TrainConfig
from sightline.errors import DamagedError
from sightline.io.atomic import write_atomically
from sightline.io.digests import damage_by_digest
from sightline.io.folders import PRIVATE, make_folder, remove_empty
from sightline.io.redaction import redact
from sightline.runs.frozen import Frozen, read_frozen, write_frozen
from sightline.runs.journal.file import JournalWriter
from sightline.runs.journal.records import StatusRecord, TagsRecord
from sightline.runs.locked_folder import LockedFolder
from sightline.runs.results import read_results
from sightline.tracking.mlflow.tags import ERROR, REAPED, RUN_KEY

log = logging.getLogger(__name__)

BEST, LAST = "checkpoints/best.ckpt", "checkpoints/last.ckpt"  # the same paths in MLflow
RESULTS = "results.json"


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
        self._results = path / RESULTS
        self._error = path / "error.txt"
        self._pruned = path / "pruned.txt"
        self._frozen: Frozen | None = None
        self._made: list[Path] = []  # folders that `freeze` made
        self._warned = False

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
        before = self.frozen
        if data is None:
            data = before.data if before is not None else {}
        self.check_held()
        self._made += make_folder(self.path, PRIVATE)
        self._frozen = Frozen(config, job, __version__, data, self._run_key(before))
        write_frozen(self._config, self._frozen)

    def _run_key(self, before: Frozen | None) -> str:
        """The key of the run: its journal's, or before it has one that of its launch.

        A run that trained and has no journal is a copy, from which `tracking` was removed: it
        becomes a run of its own.
        """
        known = self.state.tags.get(RUN_KEY)
        if known is None and before is not None and self.trace() is None:
            known = before.run_key
        return known or uuid.uuid4().hex

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

    def damage_of(self, path: str) -> str | None:
        """The damage of a file that the run logged, by its path in the folder; None of others."""
        return damage_by_digest(self.path / path, self.state.digests.get(path))

    # What it reached.

    def results(self) -> dict[str, Any] | None:
        """What a finished run reached; None where it did not finish, or the file is damaged."""
        if self.status != "FINISHED":
            return None
        try:
            return read_results(self._results, self.damage_of(RESULTS))
        except DamagedError as error:
            if not self._warned:
                log.warning("%s", error)
            self._warned = True
            return None

    def trace(self) -> Path | None:
        """A file that only a run that began leaves here; None where there is none."""
        return next(filter(Path.is_file, (self.best, self.last, self._results)), None)

    @property
    def finished_s(self) -> float:
        """When the results were written, seconds since 1970."""
        return self._results.stat().st_mtime

    @property
    def error(self) -> str:
        """The error of the last attempt; empty where there is none."""
        return _text_of(self._error) or ""

    @error.setter
    def error(self, text: str) -> None:
        if text:
            self._error.write_text(redact(text), encoding="utf-8")
        else:
            self._error.unlink(missing_ok=True)

    @property
    def pruned(self) -> str | None:
        """Why a search pruned this run; None where it did not."""
        return _text_of(self._pruned)

    def prune(self, reason: str) -> None:
        """Record that a search prunes this run, before the signal that stops it."""
        write_atomically(self._pruned, reason)


def _text_of(path: Path) -> str | None:
    return path.read_text("utf-8", errors="replace").strip() if path.is_file() else None
