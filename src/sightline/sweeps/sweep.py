"""A launched sweep: its jobs, frozen in its folder, and the record of the launch (`sweep.json`)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sightline import __version__
from sightline.config.schema import Job, TrackingConfig, TrainConfig
from sightline.errors import DamagedError, UserError
from sightline.io.redaction import redacted
from sightline.io.sealed import read_sealed, write_sealed
from sightline.metrics.monitor import monitor_mode, with_monitor_mode
from sightline.paths import sweep_title
from sightline.runs.folder import RunFolder

PUT_BACK = "Put back a copy of it, or give another hydra.sweep.dir."
# How a job is logged does not change the job: these may differ when a sweep is resumed.
TRANSPORT = {
    "uri", "offline", "start_timeout_s", "flush_timeout_s", "system_metrics_interval_s",
}  # fmt: skip


@dataclass(frozen=True)
class SweepJob:
    """One job of a sweep. Its folder is opened once, and keeps its position in the journal.

    Attributes:
        config: all values.
        job: its overrides and where it runs.
        folder: the job's own.
    """

    config: TrainConfig
    job: Job
    folder: RunFolder


@dataclass
class Sweep:
    """The jobs of one command.

    Attributes:
        folder: the sweep's own; each job has a folder in it.
        name: the tag by which its jobs are found in MLflow.
        command: as it was typed.
        jobs: the jobs; a job's number is its index.
        new: whether it is launched for the first time.
        max_failures: number of failures after which no further job is started; None: no limit.
        tracking: how the sweep is logged.
        objectives: metrics of a search, and whether higher is better; empty in a grid, where the
            jobs of each task are compared by what they monitor.
        notes: warnings from the planning, for a person to read.
    """

    folder: RunFolder
    name: str
    command: str
    jobs: list[SweepJob]
    new: bool
    max_failures: int | None
    tracking: TrackingConfig
    objectives: list[tuple[str, bool]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The name that all of its jobs were given, else what differs between them and the data."""
        given = {each.config.tracking.run_name for each in self.jobs}
        shared = next(iter(given)) if len(given) == 1 else None
        return shared or sweep_title(self.folder.path.name)


def overrides_of(job: Job) -> dict[str, str]:
    """A job's overrides, `{KEY: VALUE}`."""
    return dict(word.lstrip("+~").partition("=")[::2] for word in job.overrides)


def swept_keys(jobs: Sequence[Job]) -> list[str]:
    """The keys whose values differ between jobs, or that only some of them have."""
    given = [overrides_of(job) for job in jobs]
    keys = dict.fromkeys(key for each in given for key in each)
    return [key for key in keys if len({each.get(key) for each in given}) > 1]


def open_job(config: TrainConfig, job: Job) -> SweepJob:
    """The job with its folder."""
    return SweepJob(config, job, RunFolder(job.output_dir))


def freeze_sweep(sweep: Sweep) -> None:
    """Freeze each job, then write `sweep.json`: from then on the sweep counts as launched."""
    new = [each for each in sweep.jobs if not each.folder.is_launched]
    try:
        _freeze_jobs(sweep)
    except BaseException:  # the disk is full
        for each in new:
            each.folder.unfreeze()
        raise


def _freeze_jobs(sweep: Sweep) -> None:
    for each in sweep.jobs:
        if each.folder.results() is None:
            each.folder.freeze(each.config, each.job)
    entries = [
        {
            "number": number,
            "folder": str(each.folder.path.relative_to(sweep.folder.path)),
            "digest": job_digest(each.config),
            "overrides": each.job.overrides,
        }
        for number, each in enumerate(sweep.jobs)
    ]
    write_launch(sweep, {"kind": "grid", "jobs": entries})


def write_launch(sweep: Sweep, facts: dict[str, Any]) -> None:
    """Write `sweep.json`: the version, name and command of the sweep, and `facts`."""
    facts = {"version": __version__, "name": sweep.name, "command": sweep.command} | facts
    write_sealed(sweep.folder.path / "sweep.json", redacted(facts))


def read_launch(folder: Path, kind: str) -> dict[str, Any] | None:
    """The facts in a folder's `sweep.json`; None where no sweep was launched.

    Args:
        folder: of a sweep or a search.
        kind: grid or search.

    Raises:
        UserError: the file is damaged, of another kind, or written by another version.
    """
    path = folder / "sweep.json"
    try:
        facts = read_sealed(path)
    except FileNotFoundError:
        _check_new(path)
        return None
    except DamagedError as error:
        raise DamagedError(path, error.problem, PUT_BACK) from error
    lacking = {"version", "kind", "name", "command"} - facts.keys()
    if lacking:
        raise DamagedError(path, f"it has no {min(lacking)}", PUT_BACK)
    version, found = facts["version"], facts["kind"]
    if found != kind:
        raise another_sweep(folder, facts, f"that one is a {found}, this one a {kind}")
    if version != __version__:
        raise UserError(
            f"{folder} holds a sweep of Sightline {version}; this is {__version__}. Resume it with "
            "the version that launched it, or give another hydra.sweep.dir."
        )
    return facts


def _check_new(path: Path) -> None:
    """Refuse to launch a sweep anew where jobs of one are that has lost its `sweep.json`."""
    for config in path.parent.glob("*/run.json"):
        job = RunFolder(config.parent)
        if job.trace() is not None and job.frozen is not None and job.frozen.job.in_sweep:
            raise DamagedError(path, f"it is missing, and {job} is a job of its sweep", PUT_BACK)


def another_sweep(folder: Path, facts: dict[str, Any], difference: str) -> UserError:
    """The error for a folder that holds a different sweep."""
    return UserError(
        f"{folder} holds another sweep ({facts['command']}): {difference}. "
        "Give this one a folder of its own: hydra.sweep.dir=FOLDER."
    )


def new_name(folder: Path) -> str:
    """A sweep's name: its folder's name and the time, so that a store never mixes two sweeps."""
    return f"{folder.name} @ {datetime.now():%Y-%m-%d %H:%M:%S}"


def by_monitor(config: TrainConfig) -> tuple[str, bool]:
    """The metric that a job is ranked by, and whether higher is better."""
    return f"val_best/{config.monitor.removeprefix('val/')}", monitor_mode(config) == "max"


def job_digest(config: TrainConfig) -> str:
    """A digest of all resolved values except those that only say how a job is run and logged."""
    facts = with_monitor_mode(config).model_dump(
        mode="json", exclude={"sweep": True, "tracking": TRANSPORT}
    )
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()
