"""What a sweep consists of: every job composed, checked and frozen before the first one starts."""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from sightline import __version__
from sightline.components import check_components
from sightline.compose import read_job
from sightline.config import Job, TrackingConfig, TrainConfig
from sightline.errors import UserError
from sightline.resume import differences
from sightline.run_folder import freeze, read_results, thaw
from sightline.tracking.secrets import hide_password
from sightline.tracking.spool import write_whole

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


def plan_sweep(
    loader: Any, config: DictConfig, job_overrides: Sequence[Sequence[str]], first: int
) -> Sweep:
    """Compose and check every job, or find what the same command launched before.

    A job is known by the digest of its resolved config: the same one twice is one job, and a sweep
    that is given further values in its folder goes on with the jobs that it has. Nothing is
    written yet.

    Args:
        loader: Hydra's, which composes a job's config.
        config: the sweep's.
        job_overrides: of each job.
        first: number of the first job; 0 unless Hydra was told to launch them in parts.

    Raises:
        UserError: a job's config is wrong, or the folder holds another sweep.
    """
    if first > 0:
        raise UserError("A sweep is planned as a whole: leave hydra.sweeper.max_batch_size out.")
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    stored = read_launch(folder, "grid")
    name = stored["name"] if stored else new_name(folder)
    composed = [
        compose(loader, config, list(overrides), number, name)
        for number, overrides in enumerate(job_overrides)
    ]
    jobs, notes = _each_once(composed)
    now, job = jobs[0]
    sweep = Sweep(
        folder, name, job.command, [], stored is None, now.sweep.max_failures, now.tracking,
        [by_monitor(now)], notes,
    )  # fmt: skip
    before: list[tuple[TrainConfig, Job]] = []
    added = jobs
    if stored is not None:
        before, added = _go_on(folder, stored, jobs, notes)
    sweep.jobs += [(_logged_as(config, now.tracking), job) for config, job in before]
    for job_config, _ in added:
        check_components(job_config)
    if len(added) < len(composed):  # their numbers are others
        added = [
            compose(loader, config, job.overrides, len(before) + index, name)
            for index, (_, job) in enumerate(added)
        ]
    sweep.jobs += added
    return sweep


def by_monitor(config: TrainConfig) -> tuple[str, bool]:
    """What a job is compared by unless told otherwise, and whether more of it is better."""
    return f"val_best/{config.monitor.removeprefix('val/')}", config.monitor_mode == "max"


def _go_on(
    folder: Path, stored: dict[str, Any], jobs: list[tuple[TrainConfig, Job]], notes: list[str]
) -> tuple[list[tuple[TrainConfig, Job]], list[tuple[TrainConfig, Job]]]:
    """The jobs as they were launched before, and those that this command adds."""
    before = [_thaw(folder / entry["folder"]) for entry in stored["jobs"]]
    asked = [_said(job.overrides) for _, job in jobs]
    launched = [_said(job.overrides) for _, job in before]
    if asked == launched:
        notes += _say_edits(before, jobs)
        return before, []
    added = _added(folder, stored, jobs)
    if added:
        notes.append(f"{len(added)} of {len(before) + len(added)} jobs are new to this sweep.")
    return before, added


def freeze_sweep(sweep: Sweep) -> None:
    """Write what each job is, and then what the sweep is: from here on it is launched."""
    for config, job in sweep.jobs:
        if read_results(job.output_dir) is None:
            freeze(config, job)
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
    write_whole(sweep.folder / "sweep.json", text)


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


def compose(
    loader: Any, config: DictConfig, overrides: list[str], number: int, sweep: str
) -> tuple[TrainConfig, Job]:
    """One job's checked config, with its place in the sweep's folder."""
    composed = loader.load_sweep_config(config, overrides)
    with open_dict(composed):
        composed.hydra.job.id = str(number)
        composed.hydra.job.num = number
        folder = Path(str(composed.hydra.sweep.dir)) / str(composed.hydra.sweep.subdir)
        composed.hydra.runtime.output_dir = str(folder.absolute())
    HydraConfig.instance().set_config(composed)
    return read_job(composed, sweep, sys.argv[1:])


def job_digest(config: TrainConfig) -> str:
    """What a job is known by: all of its resolved values but those that only say how it is run."""
    facts = config.model_dump(mode="json", exclude={"sweep": True, "tracking": TRANSPORT})
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()


def _each_once(
    jobs: list[tuple[TrainConfig, Job]],
) -> tuple[list[tuple[TrainConfig, Job]], list[str]]:
    """The jobs without those whose config came before, and a note of each of these."""
    first: dict[str, tuple[TrainConfig, Job]] = {}
    notes = []
    for config, job in jobs:
        same = first.setdefault(job_digest(config), (config, job))[1]
        if same is not job:
            notes.append(
                f"{' '.join(job.overrides)}: the same config as {' '.join(same.overrides)}; "
                "it is trained once."
            )
    return list(first.values()), notes


def _said(overrides: Sequence[str]) -> list[str]:
    """A job's words, those left out that only say how it is logged or how the sweep goes on."""
    return sorted(
        hide_password(word)
        for word in overrides
        if not word.startswith("sweep.")
        and word.partition("=")[0] not in {f"tracking.{key}" for key in TRANSPORT}
    )


def _added(
    folder: Path, stored: dict[str, Any], jobs: list[tuple[TrainConfig, Job]]
) -> list[tuple[TrainConfig, Job]]:
    """The jobs that the launched sweep has not; all that it has must be among those asked for."""
    asked = {job_digest(config) for config, _ in jobs}
    said = [_said(job.overrides) for _, job in jobs]
    launched = {entry["digest"]: _said(entry["overrides"]) for entry in stored["jobs"]}
    lacking = [words for digest, words in launched.items() if digest not in asked]
    edited = [words for words in lacking if words in said]
    if edited:
        raise another_sweep(
            folder, stored, f"the configs were edited since, so that {' '.join(edited[0])} is not "
            "the job that it was, and it cannot be widened",
        )  # fmt: skip
    if lacking:
        count = len(lacking)
        raise another_sweep(
            folder, stored,
            f"{count} of its {len(launched)} jobs {'are' if count > 1 else 'is'} not in this one, "
            f"such as {' '.join(lacking[0]) or 'the one without overrides'}",
        )  # fmt: skip
    return [(config, job) for config, job in jobs if job_digest(config) not in launched]


def _thaw(folder: Path) -> tuple[TrainConfig, Job]:
    frozen = thaw(folder)
    if frozen is None:
        raise UserError(f"{folder} lost its run.json; give another hydra.sweep.dir.")
    return frozen.config, frozen.job


def _logged_as(config: TrainConfig, tracking: TrackingConfig) -> TrainConfig:
    """A frozen config that is logged the way that is asked for now, passwords included."""
    now = tracking.model_dump(include=TRANSPORT)
    return config.model_copy(update={"tracking": config.tracking.model_copy(update=now)})


def _say_edits(
    launched: list[tuple[TrainConfig, Job]], now: list[tuple[TrainConfig, Job]]
) -> list[str]:
    """A note of the values that YAML would give now, and that the sweep does not take."""
    edited = {
        key: f"{key} ({old!r} then, {new!r} now)"
        for (before, _), (after, _) in zip(launched, now, strict=True)
        for key, old, new in differences(before, after, may_change=("sweep", "tracking"))
    }
    if not edited:
        return []
    return [
        f"The configs changed since this sweep was launched: {', '.join(edited.values())}. It goes "
        "on as it was launched; for the new values give another hydra.sweep.dir."
    ]
