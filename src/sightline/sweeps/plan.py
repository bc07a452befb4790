"""The plan of a sweep: every job composed, checked and frozen before the first one starts."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from sightline.cluster.ranks import rank
from sightline.config.components import check_components
from sightline.config.compose import read_job
from sightline.errors import UserError
from sightline.metrics.monitor import monitor_mode
from sightline.runs.folder import RunFolder
from sightline.sweeps.relaunch import resume_launch
from sightline.sweeps.sweep import (
    Sweep,
    SweepJob,
    job_digest,
    new_name,
    open_job,
    read_launch,
    swept_keys,
)
from sightline.training.early_checks import check_early

RUN_NAME = "tracking.run_name"


def plan_sweep(
    loader: Any, config: DictConfig, job_overrides: Sequence[Sequence[str]], first: int,
    arguments: list[str],
) -> Sweep:  # fmt: skip
    """Compose and check every job, or find the jobs that the same command launched before.

    A job is identified by the digest of its resolved config: two equal ones are one job, and a
    sweep whose command gives further values in its folder keeps the jobs that it has. No file is
    written yet.

    Args:
        loader: Hydra's, which composes a job's config.
        config: the sweep's.
        job_overrides: of each job.
        first: number of the first job; above 0 only if Hydra launches them in batches.
        arguments: the words of the command after `train`.

    Raises:
        UserError: a job's config is wrong, or the folder holds another sweep.
    """
    check_single_process()
    if first > 0:
        raise UserError("A sweep is planned as a whole: leave hydra.sweeper.max_batch_size out.")
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    stored = read_launch(folder, "grid")
    name = stored["name"] if stored else new_name(folder)
    composed = [
        compose(loader, config, list(overrides), number, name, arguments)
        for number, overrides in enumerate(job_overrides)
    ]
    jobs, notes = _without_duplicates(composed)
    now = jobs[0].config
    before: list[SweepJob] = []
    added = jobs
    if stored is not None:
        before, added, further = resume_launch(folder, stored, jobs, now.tracking)
        notes += further
    check_early(*(each.config for each in added))
    for each in added:
        check_components(each.config)
        monitor_mode(each.config)  # refused where it contradicts the metric
    if len(added) < len(composed):  # their numbers changed
        added = [
            compose(loader, config, each.job.overrides, len(before) + index, name, arguments)
            for index, each in enumerate(added)
        ]
    return Sweep(
        RunFolder(folder), name, jobs[0].job.command, [*before, *told_apart(added, before)],
        stored is None, now.sweep.max_failures, now.tracking, notes=notes,
    )  # fmt: skip


def told_apart(added: Sequence[SweepJob], before: Sequence[SweepJob]) -> list[SweepJob]:
    """New jobs that know what sets them apart, for their names; not where each is given one."""
    keys = swept_keys([each.job for each in (*before, *added)])
    if RUN_NAME in keys:
        return list(added)
    return [
        replace(each, job=replace(each.job, apart=[
            word for word in each.job.overrides if word.lstrip("+~").partition("=")[0] in keys
        ]))
        for each in added
    ]  # fmt: skip


def check_single_process() -> None:
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
    loader: Any,
    config: DictConfig,
    overrides: list[str],
    number: int,
    sweep: str,
    arguments: list[str],
) -> SweepJob:
    """One job with its checked config, and its folder in the sweep's.

    Args:
        loader: Hydra's.
        config: the sweep's.
        overrides: the job's.
        number: the job's.
        sweep: the sweep's name.
        arguments: the words of the command after `train`.

    Raises:
        UserError: whatever is wrong with the config.
    """
    composed = loader.load_sweep_config(config, overrides)
    with open_dict(composed):
        composed.hydra.job.id = str(number)
        composed.hydra.job.num = number
        folder = Path(str(composed.hydra.sweep.dir)) / str(composed.hydra.sweep.subdir)
        composed.hydra.runtime.output_dir = str(folder.absolute())
    HydraConfig.instance().set_config(composed)
    return open_job(*read_job(composed, sweep, arguments))


def _without_duplicates(jobs: list[SweepJob]) -> tuple[list[SweepJob], list[str]]:
    """The first job of each config, and a note of each that is left out."""
    first: dict[str, SweepJob] = {}
    notes = []
    for each in jobs:
        same = first.setdefault(job_digest(each.config), each)
        if same is not each:
            notes.append(
                f"{' '.join(each.job.overrides)}: the same config as "
                f"{' '.join(same.job.overrides)}; it is trained once."
            )
    return list(first.values()), notes
