"""What a sweep consists of: every job composed, checked and frozen before the first one starts."""

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from sightline import __version__
from sightline.compose import read_job
from sightline.config import Job, TrainConfig
from sightline.errors import UserError
from sightline.resume import differences
from sightline.run_folder import freeze, thaw
from sightline.tracking.secrets import hide_password
from sightline.tracking.spool import write_whole

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sweep:
    """The jobs of one command.

    Attributes:
        folder: of the sweep; each job has a folder of its own in it.
        command: as it was typed.
        jobs: what each was frozen as.
    """

    folder: Path
    command: str
    jobs: list[tuple[TrainConfig, Job]]

    @property
    def name(self) -> str:
        """What people call it."""
        return self.folder.name


def plan_sweep(
    loader: Any, config: DictConfig, job_overrides: Sequence[Sequence[str]], first: int
) -> Sweep:
    """Compose and check every job; freeze them, or find them frozen by the same command before.

    Args:
        loader: Hydra's, which composes a job's config.
        config: the sweep's.
        job_overrides: of each job.
        first: number of the first job.

    Raises:
        UserError: a job's config is wrong, or the folder holds another sweep; nothing started.
    """
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    _hide_passwords(folder / "multirun.yaml")
    jobs = [
        _compose(loader, config, list(overrides), first + index)
        for index, overrides in enumerate(job_overrides)
    ]
    path = folder / "sweep.json"
    overrides = [job.overrides for _, job in jobs]
    if path.is_file():
        return Sweep(folder, jobs[0][1].command, _frozen_jobs(path, jobs))
    for job_config, job in jobs:
        freeze(job_config, job)
    facts = {"version": __version__, "command": jobs[0][1].command, "overrides": overrides}
    write_whole(path, hide_password(json.dumps(facts, indent=2, ensure_ascii=False)))
    return Sweep(folder, jobs[0][1].command, jobs)


def _compose(
    loader: Any, config: DictConfig, overrides: list[str], number: int
) -> tuple[TrainConfig, Job]:
    composed = loader.load_sweep_config(config, overrides)
    with open_dict(composed):
        composed.hydra.job.id = str(number)
        composed.hydra.job.num = number
        folder = Path(str(composed.hydra.sweep.dir)) / str(composed.hydra.sweep.subdir)
        composed.hydra.runtime.output_dir = str(folder.absolute())
    HydraConfig.instance().set_config(composed)
    return read_job(composed, Path(str(composed.hydra.sweep.dir)).name, sys.argv[1:])


def _frozen_jobs(path: Path, now: list[tuple[TrainConfig, Job]]) -> list[tuple[TrainConfig, Job]]:
    """The jobs as they were launched first, which later edits of YAML do not change."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    asked = [[hide_password(word) for word in job.overrides] for _, job in now]
    if facts["overrides"] != asked:
        raise UserError(
            f"{path.parent} holds another sweep: {facts['command']}. Give this one another folder: "
            "hydra.sweep.dir=FOLDER."
        )
    jobs = []
    edited: dict[str, str] = {}
    for config, job in now:
        frozen = thaw(job.output_dir)
        if frozen is None:
            raise UserError(f"{job.output_dir} lost its run.json; give another hydra.sweep.dir.")
        for key, old, new in differences(frozen.config, config):
            edited[key] = f"{key} ({old!r} then, {new!r} now)"
        tracking = config.tracking  # with its password, and as it is given now
        jobs.append((frozen.config.model_copy(update={"tracking": tracking}), frozen.job))
    if edited:
        log.warning(
            "The configs changed since this sweep was launched: %s. It goes on as it was launched; "
            "for the new values give another hydra.sweep.dir.", ", ".join(edited.values()),
        )  # fmt: skip
    return jobs


def _hide_passwords(path: Path) -> None:
    """In the copy of the config that Hydra writes."""
    if path.is_file():
        path.write_text(hide_password(path.read_text(encoding="utf-8")), encoding="utf-8")
