"""`sightline runs [FOLDER] [--reap]`: what runs there are, how they stand, and which are gone."""

import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sightline.cluster.slurm import ENDED, SlurmError, job_state, slurm_is_here
from sightline.commands.sync import sync_pending
from sightline.errors import UserError
from sightline.paths import project_root
from sightline.runs.folder import RunFolder, run_folders

USAGE = """\
usage: sightline runs [FOLDER] [--reap]

List the runs under a folder, by default the project's.

  --reap   say in MLflow how those ended whose process is gone: KILLED where Slurm's job was
           cancelled, else FAILED; `resume=FOLDER` still goes on with them"""


@dataclass(frozen=True)
class Standing:
    """How a run stands.

    Attributes:
        folder: its own.
        name: in MLflow.
        status: as it said last; WAITING before it began.
        epochs: how many it has told of.
        of: how many it is to train.
        silent_s: since its last sign of life.
        end: how it ended where it says RUNNING and its process is gone, with the evidence.
        note: what is known besides.
    """

    folder: RunFolder
    name: str
    status: str
    epochs: int
    of: int | str
    silent_s: float
    end: tuple[str, str] | None
    note: str


def show_runs(arguments: list[str]) -> int:
    """List runs, and with `--reap` mark those that are gone."""
    if {"-h", "--help"} & set(arguments):
        print(USAGE)
        return 0
    folders = [word for word in arguments if word != "--reap"]
    if len(folders) > 1 or any(word.startswith("-") for word in folders):
        print(USAGE, file=sys.stderr)
        return 2
    root = Path(folders[0]).expanduser().absolute() if folders else project_root()
    if not root.is_dir():
        raise UserError(f"sightline runs {folders[0]}: there is no such folder.")
    runs = [_standing(folder) for folder in run_folders(root)]
    if not runs:
        print(f"There are no runs under {root}.")
        return 0
    _print_table(runs, root)
    gone = [run for run in runs if run.end is not None]
    if "--reap" not in arguments:
        if gone:
            print(f"{len(gone)} of them say RUNNING, but are gone: `--reap` says so in MLflow.")
        return 0
    return max([_reap(run) for run in gone], default=0)


def _standing(folder: RunFolder) -> Standing:
    frozen = folder.frozen
    assert frozen is not None
    state = folder.state
    silent_s = time.time() - state.time_ms / 1000 if state.time_ms else 0.0
    end, note = None, ""
    if state.status == "RUNNING":
        silent_s, end, note = _look_for_process(folder, silent_s)
    of = frozen.config.trainer.get("max_epochs", "?")
    return Standing(
        folder, state.name or folder.path.name, state.status or "WAITING", state.epochs,
        "?" if of == -1 else of, silent_s, end, note,
    )  # fmt: skip


def _look_for_process(
    folder: RunFolder, told_s: float
) -> tuple[float, tuple[str, str] | None, str]:
    """Of a run that says RUNNING: seconds since its last sign of life, its end, a note."""
    held = folder.owner()
    if held is None:
        return told_s, ("FAILED", "no process works in its folder"), ""
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


def _print_table(runs: list[Standing], root: Path) -> None:
    """Whole lines, also where the terminal is narrow: names and folders are there to be copied."""
    rows = [("STATUS", "EPOCH", "LAST SIGN OF LIFE", "RUN", "FOLDER", "")]
    for run in runs:
        ago = "" if run.status == "WAITING" else f"{timedelta(seconds=round(run.silent_s))} ago"
        status = run.status if run.end is None else f"{run.status}, but gone"
        where = str(run.folder.path.relative_to(root))
        note = run.note if run.end is None else run.end[1]
        rows.append((status, f"{run.epochs}/{run.of}", ago, run.name, where, note))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


def _reap(run: Standing) -> int:
    """Write how a run ended into its journal, and bring it to MLflow where that can be reached."""
    assert run.end is not None
    status, evidence = run.end
    try:
        run.folder.mark_ended(status, evidence)
    except UserError as error:  # somebody goes on with it
        print(f"{run.folder}: {error}")
        return 0
    print(f"{run.folder}: {status} ({evidence})")
    frozen = run.folder.frozen
    assert frozen is not None
    return 0 if frozen.config.tracking.offline is True else sync_pending([str(run.folder)])
