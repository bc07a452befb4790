"""What of a run's folder was brought to MLflow, and what waits."""

import json
from pathlib import Path
from typing import Any

from filelock import FileLock

from sightline.tracking.spool import read_spool, write_whole


def spools_of(folder: Path) -> dict[str, Path]:
    """A run's spools by name: what the training tells, and samples of the machine."""
    return {name: folder / "tracking" / f"{name}.jsonl" for name in ("journal", "system")}


def journal_of(folder: Path) -> Path:
    """Where a training's records lie."""
    return spools_of(folder)["journal"]


def status_of(folder: Path) -> str | None:
    """RUNNING, FINISHED, FAILED or KILLED, as the run said last; None before it began."""
    status = None
    for record, _ in read_spool(journal_of(folder)):
        if record["op"] == "status":
            status = str(record["status"])
    return status


def read_sent(folder: Path) -> dict[str, Any]:
    """How far each spool was brought, and the run's ids in MLflow.

    Nothing where a crash damaged the file: what is sent again does no harm.
    """
    try:
        sent = json.loads(_sent_of(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return sent if isinstance(sent, dict) else {}


def write_sent(folder: Path, sent: dict[str, Any]) -> None:
    """Note how far a run was brought."""
    write_whole(_sent_of(folder), json.dumps(sent))


def count_pending(folder: Path) -> int:
    """How many records were not brought."""
    sent = read_sent(folder)
    return sum(
        1 for name, path in spools_of(folder).items() for _ in read_spool(path, sent.get(name, 0))
    )


def sender_lock(folder: Path, timeout_s: float) -> FileLock:
    """Held by the one process that brings this run."""
    return FileLock(folder / "tracking" / "sender.lock", timeout=timeout_s)


def _sent_of(folder: Path) -> Path:
    return folder / "tracking" / "sent.json"
