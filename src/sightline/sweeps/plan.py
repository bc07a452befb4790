"""What a sweep consists of: every job composed, checked and frozen before the first one starts."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from sightline.cluster.ranks import rank
from sightline.config.components import check_components
from sightline.config.compose import read_job
from sightline.config.schema import Job, TrackingConfig, TrainConfig
from sightline.errors import UserError
from sightline.io.secrets import hide_password
from sightline.metrics.monitor import monitor_mode
from sightline.runs.folder import RunFolder
from sightline.runs.resume import differences
from sightline.sweeps.sweep import (
    TRANSPORT,
    Sweep,
    another_sweep,
    job_digest,
    new_name,
    read_launch,
)


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
    check_alone()
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
        monitor_mode(job_config)  # refused where it contradicts the metric
    if len(added) < len(composed):  # their numbers are others
        added = [
            compose(loader, config, job.overrides, len(before) + index, name)
            for index, (_, job) in enumerate(added)
        ]
    sweep.jobs += added
    return sweep


def by_monitor(config: TrainConfig) -> tuple[str, bool]:
    """What a job is compared by unless told otherwise, and whether more of it is better."""
    return f"val_best/{config.monitor.removeprefix('val/')}", monitor_mode(config) == "max"


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


def check_alone() -> None:
    """Refuse to plan a sweep in each of several processes.

    Raises:
        UserError: torchrun, srun or the like started more than one.
    """
    several = os.environ.get("WORLD_SIZE", "1")
    if rank() > 0 or (several.isdigit() and int(several) > 1):
        raise UserError(
            "A sweep (-m) is one process, and starts the ranks of its jobs itself: give the "
            "command without torchrun or srun, with trainer=ddp."
        )


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
    frozen = RunFolder(folder).frozen
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
