"""The frozen form of a run, `run.json`: config, command and data as it was launched."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline import __version__
from sightline.config.checks import check
from sightline.config.schema import Job, TrainConfig
from sightline.config.stored import stored_config
from sightline.errors import UserError
from sightline.io.atomic import write_atomically
from sightline.io.redaction import redact, redacted


@dataclass(frozen=True)
class Frozen:
    """A run as it was launched.

    Attributes:
        config: all values, resolved; read from a file, without secrets.
        job: where it runs, and by which command.
        version: of the Sightline that froze it.
        data: a digest of the content of each split; empty before the data was read.
    """

    config: TrainConfig
    job: Job
    version: str
    data: dict[str, str]


def write_frozen(path: Path, frozen: Frozen) -> None:
    """Write a run as it is launched; secrets are left out."""
    config, job = frozen.config, frozen.job
    facts = {
        "version": frozen.version,
        "command": redact(job.command),
        "arguments": redacted(job.arguments),
        "choices": job.choices,
        "overrides": redacted(job.overrides),
        "sweep": job.sweep,
        "reproduces": job.reproduces,
        "data": frozen.data,
        "config": redacted(config.model_dump(mode="json")),
    }
    write_atomically(path, json.dumps(facts, indent=2, ensure_ascii=False))


def read_frozen(path: Path) -> Frozen | None:
    """The run that was frozen in a file; None where there is none.

    Raises:
        UserError: the file is damaged, or another version's.
    """
    if not path.is_file():
        return None
    facts: dict[str, Any] = {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        job = Job(path.parent, facts["choices"], facts["overrides"], facts["sweep"],
                  facts["command"], facts["arguments"], facts.get("reproduces"))  # fmt: skip
        config = check(stored_config(facts["config"], path.name))
        return Frozen(config, job, facts["version"], facts["data"])
    except (ValueError, KeyError, TypeError, RecursionError, UserError) as error:
        wrote = f"; {facts['version']} wrote it" if "version" in facts else ""
        raise UserError(
            f"{path} is not a run of this Sightline ({__version__}{wrote}): {error}. Give another "
            "folder."
        ) from error
