"""What of a run's folder was brought to MLflow, and what waits."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from sightline.config.schema import TrackingConfig
from sightline.io.atomic import write_atomically
from sightline.io.secrets import hide_password
from sightline.runs.journal.file import Record, read_journal

FILES = ("artifact", "image", "model")  # records that name a file


@dataclass(frozen=True)
class UploadStream:
    """Records that go to MLflow in their order; a large file does not hold up what is measured.

    Attributes:
        name: of how far it was brought, in sent.json.
        path: the journal.
        files: whether it takes the journal's files, or all else.
    """

    name: str
    path: Path
    files: bool = False

    def read(self, offset: int) -> Iterator[tuple[Record | None, int]]:
        """Each record of the journal from `offset` on, None for one that is not this lane's."""
        for record, end in read_journal(self.path, offset):
            yield record if (record.get("op") in FILES) == self.files else None, end


def journal_path(folder: Path) -> Path:
    """Where a training's records lie."""
    return folder / "tracking" / "journal.jsonl"


def system_journal_path(folder: Path) -> Path:
    """Where samples of the machine lie."""
    return folder / "tracking" / "system.jsonl"


def refused_path(folder: Path) -> Path:
    """Where records lie that MLflow refuses, with the reasons."""
    return folder / "tracking" / "refused.jsonl"


def upload_streams(folder: Path) -> tuple[UploadStream, ...]:
    """A run's lanes: what the training tells, samples of the machine, files."""
    journal = journal_path(folder)
    return (
        UploadStream("journal", journal),
        UploadStream("system", system_journal_path(folder)),
        UploadStream("files", journal, files=True),
    )


def read_status(folder: Path) -> str | None:
    """RUNNING, FINISHED, FAILED or KILLED, as the run said last; None before it began."""
    status = None
    for record, _ in read_journal(journal_path(folder)):
        if record["op"] == "status":
            status = str(record["status"])
    return status


def read_upload_position(folder: Path) -> dict[str, Any]:
    """How far each lane was brought, and the run's ids in MLflow.

    Nothing where a crash damaged the file: what is sent again does no harm.
    """
    return _read(folder / "tracking" / "sent.json")


def write_upload_position(folder: Path, sent: dict[str, Any]) -> None:
    """Note how far a run was brought."""
    write_atomically(folder / "tracking" / "sent.json", json.dumps(sent))


def read_destination(folder: Path) -> dict[str, Any]:
    """Where a run goes: `uri` (passwords are hidden), `experiment`, `register_as`."""
    return _read(folder / "tracking" / "store.json")


def write_destination(folder: Path, config: TrackingConfig) -> None:
    """Note where a run goes."""
    assert config.uri is not None
    noted = {
        "uri": hide_password(config.uri),
        "experiment": config.experiment,
        "register_as": config.register_as,
    }
    write_atomically(folder / "tracking" / "store.json", json.dumps(noted, ensure_ascii=False))


def count_pending(folder: Path) -> int:
    """How many records were not brought."""
    sent = read_upload_position(folder)
    return sum(
        record is not None
        for lane in upload_streams(folder)
        for record, _ in lane.read(sent.get(lane.name, 0))
    )


def count_refused(folder: Path) -> int:
    """How many records MLflow refuses."""
    return sum(1 for _ in read_journal(refused_path(folder)))


def sender_lock(folder: Path, timeout_s: float) -> FileLock:
    """Held by the one process that brings this run."""
    return FileLock(folder / "tracking" / "sender.lock", timeout=timeout_s)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
