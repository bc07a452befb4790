"""A run's own folder: what was asked for, frozen; how it stands; what it reached."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline import __version__
from sightline.config.schema import Job, TrainConfig, check
from sightline.errors import UserError
from sightline.io.atomic import write_atomically
from sightline.io.secrets import hide_password
from sightline.runs.journal.outbox import read_status


@dataclass(frozen=True)
class Frozen:
    """A run as it was launched.

    Attributes:
        config: all values, resolved; addresses without their passwords.
        job: where it runs, and how it was asked for.
        version: of the Sightline that froze it.
        data: a digest of the content of each split; empty before the data was read.
    """

    config: TrainConfig
    job: Job
    version: str
    data: dict[str, str]


def freeze(config: TrainConfig, job: Job, data: dict[str, str] | None = None) -> None:
    """Write `run.json`: later edits of YAML no longer change this run.

    Args:
        config: all values.
        job: where it runs.
        data: a digest of the content of each split, once it is read; None: what was noted before.
    """
    if data is None:
        before = thaw(job.output_dir)
        data = before.data if before is not None else {}
    facts = {
        "version": __version__,
        "command": hide_password(job.command),
        "arguments": [hide_password(word) for word in job.arguments],
        "choices": job.choices,
        "overrides": [hide_password(word) for word in job.overrides],
        "sweep": job.sweep,
        "reproduces": job.reproduces,
        "data": data,
        "config": json.loads(hide_password(json.dumps(config.model_dump(mode="json")))),
    }
    job.output_dir.mkdir(parents=True, exist_ok=True)
    write_atomically(job.output_dir / "run.json", json.dumps(facts, indent=2, ensure_ascii=False))


def thaw(folder: Path) -> Frozen | None:
    """The run that was launched in a folder; None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / "run.json"
    if not path.is_file():
        return None
    facts: dict[str, Any] = {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        job = Job(folder, facts["choices"], facts["overrides"], facts["sweep"],
                  facts["command"], facts["arguments"], facts.get("reproduces"))  # fmt: skip
        return Frozen(check(facts["config"]), job, facts["version"], facts["data"])
    except (ValueError, KeyError, TypeError, UserError) as error:
        wrote = f"; {facts['version']} wrote it" if "version" in facts else ""
        raise UserError(
            f"{path} is not a run of this Sightline ({__version__}{wrote}): {error}. Give another "
            "folder."
        ) from error


def read_results(folder: Path) -> dict[str, Any] | None:
    """What a finished run reached (`results.json`); None where it did not finish."""
    path = folder / "results.json"
    if read_status(folder) != "FINISHED" or not path.is_file():
        return None
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return results


def write_pruned(folder: Path, why: str) -> None:
    """Note that a search gives this run up, before the signal that stops it."""
    write_atomically(folder / "pruned.txt", why)


def read_pruned(folder: Path) -> str | None:
    """Why a search gave this run up; None where it did not."""
    path = folder / "pruned.txt"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def run_folders(root: Path) -> list[Path]:
    """Every run's folder under `root`, the newest first."""
    found = sorted(root.rglob("run.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [path.parent for path in found]
