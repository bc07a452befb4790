"""The list of runs under a folder: status, progress, and the runs whose process is gone."""

import math
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sightline.cluster.slurm import ENDED, SlurmError, job_state, slurm_is_here
from sightline.config.data_name import data_of
from sightline.errors import UserError, first_line
from sightline.runs.folder import RunFolder
from sightline.runs.folders import run_folders
from sightline.runs.imported import is_imported, is_probe
from sightline.runs.intact import check_journal, check_run_file


@dataclass(frozen=True)
class RunStatus:
    """The status of a run.

    Attributes:
        folder: of the run.
        name: in MLflow.
        status: the last one recorded; WAITING before the first; UNREADABLE where a file is damaged
            or another version's.
        epochs: the number of epochs recorded.
        max_epochs: the number of epochs to train; `?` without a limit, 0 of an imported run or a
            probe.
        silent_s: seconds since its last record or heartbeat.
        run_id: in MLflow; empty where it is not there.
        data: the name of its data.
        metric: what it monitors, without its split.
        val, test: the monitored metric of its best checkpoint; NaN where there is none.
        end: its final status and the evidence, where it is RUNNING and its process is gone.
        note: the process or Slurm job that runs it, where one is known; what is damaged; or that it
            was imported.
    """

    folder: RunFolder
    name: str
    status: str
    epochs: int
    max_epochs: int | str
    silent_s: float
    end: tuple[str, str] | None
    note: str
    run_id: str = ""
    data: str = ""
    metric: str = ""
    val: float = math.nan
    test: float = math.nan


def list_runs(root: Path) -> list[RunStatus]:
    """The status of every run under a folder; UNREADABLE for a damaged or another version's one."""
    return [_status_or_problem(folder) for folder in run_folders(root)]


def _status_or_problem(folder: RunFolder) -> RunStatus:
    try:
        check_run_file(folder)
        check_journal(folder)
        return _status_of(folder)
    except (UserError, OSError) as error:
        note = first_line(error)
        return RunStatus(folder, folder.path.name, "UNREADABLE", 0, "?", 0.0, None, note)


def _status_of(folder: RunFolder) -> RunStatus:
    frozen, state = folder.frozen, folder.state
    assert frozen is not None
    silent_s = time.time() - state.time_ms / 1000 if state.time_ms else 0.0
    end, note = None, ""
    if state.status == "RUNNING":
        silent_s, end, note = _find_process(folder, silent_s)
    metric = frozen.config.monitor.partition("/")[2]
    data = data_of(frozen.config.data, frozen.job.choices.get("data", ""))
    most = frozen.config.trainer.get("max_epochs", "?")
    if is_imported(state.tags) or is_probe(state.tags):
        most, note = 0, note or ("imported" if is_imported(state.tags) else "probe")
    return RunStatus(
        folder, state.name or folder.path.name, state.status or "WAITING", state.epochs,
        "?" if most == -1 else most, silent_s, end, note,
        folder.upload.position().get("run_id", ""), data, metric,
        state.metrics.get(f"val_best/{metric}", math.nan),
        state.metrics.get(f"test/{metric}", math.nan),
    )  # fmt: skip


def _find_process(folder: RunFolder, silent_s: float) -> tuple[float, tuple[str, str] | None, str]:
    """Of a run with the status RUNNING: seconds since its last sign of life, its end, a note."""
    held = folder.owner()
    if held is None:
        return silent_s, ("FAILED", "no process works in its folder"), ""
    owner, silent_s = held
    where = f"process {owner.pid} on {owner.host}"
    if owner.slurm_job is not None:
        job = f"Slurm job {owner.slurm_job}"
        if not slurm_is_here():
            return silent_s, None, f"{job}; Slurm is not on this machine"
        try:
            state = job_state(owner.slurm_job)
        except SlurmError as error:
            return silent_s, None, f"{job}: {error}"
        if state is not None and state not in ENDED:
            return silent_s, None, f"{job} is {state}"
        end = "KILLED" if state == "CANCELLED" else "FAILED"
        return silent_s, (end, f"{job} is {state or 'no longer known'}; it was {where}"), ""
    if owner.gone(silent_s):
        ago = timedelta(seconds=round(silent_s))
        return silent_s, ("FAILED", f"{where} is gone; last sign of life {ago} ago"), ""
    return silent_s, None, where
