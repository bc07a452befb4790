"""`sightline runs`: the list of runs, and the end of those whose process is gone."""

from pathlib import Path

from pydantic import Field

from sightline.config.command import Command
from sightline.config.options import Options, Several, flag, positional
from sightline.errors import UserError, counted
from sightline.runs.printed_list import Order


class RunsOptions(Options):
    """Options of `sightline runs`."""

    folder: str | None = positional("folder whose runs are listed; by default the project's")
    status: Several = Field((), description="runs with this status alone, such as FINISHED")
    data: str | None = Field(None, description="runs on this data alone; * for any characters")
    name: str | None = Field(None, description="runs of this name alone; * for any characters")
    sort: Order = Field("age", description="age, name, status; val, test: the least value first")
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
    from sightline.runs.listing import list_runs
    from sightline.runs.printed_list import chosen, print_runs

    root = Path(options.folder).expanduser().absolute() if options.folder else project_root()
    if not root.is_dir():
        raise UserError(f"sightline runs {options.folder}: there is no such folder.")
    every = list_runs(root)
    runs = chosen(every, options.status, options.data, options.name, options.sort)
    if not runs:
        among = f" that fit, of {counted(len(every), 'run')}" if every else ""
        print(f"There are no runs under {root}{among}.")
        return 0
    print_runs(runs, root)
    gone = [each for each in runs if each.end is not None]
    if options.reap:
        from sightline.tracking.sender.reap import reap

        return max([reap(each) for each in gone], default=0)
    if gone:
        what = counted(len(gone), "of them is", "of them are")
        print(f"{what} RUNNING, but gone: `--reap` sets their status in MLflow.")
    return 0


COMMAND = Command(
    help="list runs with their results and status, and mark those whose process is gone",
    section="runs",
    about="""\
Lists the runs under a folder: status, id, age (since the last sign of life), epochs, the monitored
metric of the best checkpoint on val and test, data and name.""",
    examples={
        "sightline runs": "",
        "sightline runs sort=val data=photos": "",
        "sightline runs status=RUNNING --reap": "",
    },
    options=RunsOptions,
    run=run,
)
