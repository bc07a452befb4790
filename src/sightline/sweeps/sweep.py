"""What was launched: a sweep's jobs, frozen in its folder, and what is known of it later."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sightline import __version__
from sightline.config.schema import Job, TrackingConfig, TrainConfig
from sightline.errors import UserError
from sightline.io.atomic import write_atomically
from sightline.io.secrets import hide_password
from sightline.metrics.monitor import with_monitor_mode
from sightline.runs.folder import RunFolder

# How a job is logged is not what it is: these may differ when a sweep goes on.
TRANSPORT = {
    "uri", "offline", "start_timeout_s", "flush_timeout_s", "system_metrics_interval_s",
}  # fmt: skip


@dataclass
class Sweep:
    """The jobs of one command.

    Attributes:
        folder: of the sweep; each job has a folder of its own in it.
        name: the tag by which its jobs are found in MLflow.
        command: as it was typed.
        jobs: by their numbers, the config and the job that each is frozen as.
        new: whether it was never launched before.
        max_failures: after how many failures no further job is started.
        tracking: how it is logged.
        objectives: what its jobs are compared by, and whether more of it is better.
        notes: what a person should know of how it was planned.
    """

    folder: Path
    name: str
    command: str
    jobs: list[tuple[TrainConfig, Job]]
    new: bool
    max_failures: int | None
    tracking: TrackingConfig
    objectives: list[tuple[str, bool]]
    notes: list[str] = field(default_factory=list)


def freeze_sweep(sweep: Sweep) -> None:
    """Write what each job is, and then what the sweep is: from here on it is launched."""
    for config, job in sweep.jobs:
        if RunFolder(job.output_dir).results() is None:
            RunFolder(job.output_dir).freeze(config, job)
    entries = [
        {
            "number": number,
            "folder": str(job.output_dir.relative_to(sweep.folder)),
            "digest": job_digest(config),
            "overrides": [hide_password(word) for word in job.overrides],
        }
        for number, (config, job) in enumerate(sweep.jobs)
    ]
    write_launch(sweep, {"kind": "grid", "jobs": entries})


def write_launch(sweep: Sweep, facts: dict[str, Any]) -> None:
    """Write `sweep.json`: what the sweep is, as it was launched."""
    facts = {"version": __version__, "name": sweep.name, "command": sweep.command} | facts
    text = hide_password(json.dumps(facts, indent=2, ensure_ascii=False))
    write_atomically(sweep.folder / "sweep.json", text)


def read_launch(folder: Path, kind: str) -> dict[str, Any] | None:
    """What was launched in a folder; None where nothing was.

    Raises:
        UserError: what was launched there is of another kind or another version.
    """
    path = folder / "sweep.json"
    if not path.is_file():
        return None
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version, found = facts["version"], facts["kind"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}). Give another hydra.sweep.dir.") from error
    if found != kind:
        raise another_sweep(folder, facts, f"that one is a {found}, this one a {kind}")
    if version != __version__:
        raise UserError(
            f"{folder} holds a sweep of Sightline {version}; this is {__version__}. Go on with the "
            "version that launched it, or give another hydra.sweep.dir."
        )
    return facts


def another_sweep(folder: Path, facts: dict[str, Any], difference: str) -> UserError:
    """The error for a folder that is in use by a sweep that is not this one."""
    return UserError(
        f"{folder} holds another sweep ({facts['command']}): {difference}. "
        "Give this one a folder of its own: hydra.sweep.dir=FOLDER."
    )


def new_name(folder: Path) -> str:
    """A sweep's name: its folder's, and the moment, so that a store never mixes two."""
    return f"{folder.name} @ {datetime.now():%Y-%m-%d %H:%M:%S}"


def job_digest(config: TrainConfig) -> str:
    """What a job is known by: all of its resolved values but those that only say how it is run."""
    facts = with_monitor_mode(config).model_dump(
        mode="json", exclude={"sweep": True, "tracking": TRANSPORT}
    )
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()
