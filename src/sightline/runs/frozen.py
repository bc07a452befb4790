"""The frozen form of a run, `run.json`: config, command and data as it was launched."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sightline import __version__
from sightline.config.checks import check
from sightline.config.schema import Job, TrainConfig
from sightline.config.stored import stored_config
from sightline.config.validation import first_problem
from sightline.errors import DamagedError, UserError
from sightline.io.redaction import redact, redacted
from sightline.io.sealed import read_sealed, write_sealed
from sightline.tracking.mlflow.tags import RUN_KEY

# What the user can do about a file without which a run cannot be resumed.
PUT_BACK = "Put back a copy of it, or give another folder (hydra.run.dir) for a new run."


@dataclass(frozen=True)
class Frozen:
    """A run as it was launched.

    Attributes:
        config: all values, resolved; read from a file, without secrets.
        job: where it runs, and by which command.
        version: of the Sightline that froze it.
        data: a digest of the content of each split; empty before the data was read.
        run_key: of this run alone, which its journal has too; empty in older ones.
    """

    config: TrainConfig
    job: Job
    version: str
    data: dict[str, str]
    run_key: str = ""


FROZEN = TypeAdapter(Frozen)


def write_frozen(path: Path, frozen: Frozen) -> None:
    """Write a run as it is launched; secrets are left out."""
    config, job = frozen.config, frozen.job
    facts: dict[str, Any] = {
        "version": frozen.version,
        "command": redact(job.command),
        "arguments": redacted(job.arguments),
        "choices": job.choices,
        "overrides": redacted(job.overrides),
        "sweep": job.sweep,
        "reproduces": job.reproduces,
        "apart": redacted(job.apart),
        "data": frozen.data,
        RUN_KEY: frozen.run_key,
        "config": redacted(config.model_dump(mode="json")),
    }
    write_sealed(path, facts)


def read_frozen(path: Path) -> Frozen | None:
    """The run that was frozen in a file; None where there is none.

    Raises:
        UserError: the file is damaged, or another version's.
    """
    if not os.path.lexists(path):
        return None
    try:
        facts = read_sealed(path)
    except DamagedError as error:
        raise DamagedError(path, error.problem, PUT_BACK) from error
    try:
        job = {key: facts[key] for key in ("choices", "overrides", "sweep", "command", "arguments")}
        job |= {"output_dir": path.parent, "reproduces": facts.get("reproduces"),
                "apart": facts.get("apart", [])}  # fmt: skip
        return FROZEN.validate_python({
            "config": check(stored_config(facts["config"], path.name)), "job": job,
            "version": facts["version"], "data": facts["data"], RUN_KEY: facts.get(RUN_KEY, ""),
        })  # fmt: skip
    except (ValueError, LookupError, TypeError, AttributeError, UserError) as error:
        problem = first_problem(error) if isinstance(error, ValidationError) else error
        wrote = f"; {facts['version']} wrote it" if "version" in facts else ""
        raise UserError(
            f"{path} is not a run of this Sightline ({__version__}{wrote}): {problem}. Give "
            "another folder."
        ) from error
