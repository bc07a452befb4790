"""`sightline runs`: the list of runs, and the end of those whose process is gone."""

from pathlib import Path
from typing import TYPE_CHECKING

from sightline.config.command import Command
from sightline.config.options import Options, flag, positional
from sightline.errors import UserError, counted

if TYPE_CHECKING:
    from sightline.runs.listing import RunStatus


class RunsOptions(Options):
    """Options of `sightline runs`."""

    folder: str | None = positional("folder whose runs are listed; by default the project's")
    reap: bool = flag(
        "set the status of runs in MLflow whose process is gone: KILLED where Slurm's job was "
        "cancelled, else FAILED; `resume=FOLDER` still resumes them"
    )


def run(options: RunsOptions) -> int:
    """List runs, and with `--reap` end those whose process is gone.

    Raises:
        UserError: there is no such folder.
    """
    from sightline.paths import project_root
    from sightline.runs.listing import list_runs, print_runs

    root = Path(options.folder).expanduser().absolute() if options.folder else project_root()
    if not root.is_dir():
        raise UserError(f"sightline runs {options.folder}: there is no such folder.")
    runs = list_runs(root)
    if not runs:
        print(f"There are no runs under {root}.")
        return 0
    print_runs(runs, root)
    gone = [each for each in runs if each.end is not None]
    if options.reap:
        return max([_reap(each) for each in gone], default=0)
    if gone:
        what = counted(len(gone), "of them is", "of them are")
        print(f"{what} RUNNING, but gone: `--reap` sets their status in MLflow.")
    return 0


def _reap(gone: "RunStatus") -> int:
    """Record how a run ended in its journal, and upload that where its store can be reached."""
    from sightline.tracking.sender.sync import sync_folder

    assert gone.end is not None
    status, evidence = gone.end
    try:
        gone.folder.mark_ended(status, evidence)
    except UserError as error:  # another process resumed it
        print(f"{gone.folder}: {error}")
        return 0
    print(f"{gone.folder}: {status} ({evidence})")
    frozen = gone.folder.frozen
    assert frozen is not None
    return 0 if frozen.config.tracking.offline is True else sync_folder(gone.folder.path)


COMMAND = Command(
    help="list runs with their status, and mark those whose process is gone",
    section="runs",
    about="Lists the runs under a folder with status, epoch and last sign of life.",
    examples={"sightline runs": "", "sightline runs --reap": ""},
    options=RunsOptions,
    run=run,
)
