"""Comparison of stored runs, top-down: finding, ranking, testing and writing."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich import get_console
from rich.markup import escape

from sightline.comparison.boards import Boards, write_boards
from sightline.comparison.compare import compare
from sightline.comparison.rendering import tables_and_notes
from sightline.comparison.settings import ComparisonSettings
from sightline.errors import UserError, counted
from sightline.paths import project_root, stamp
from sightline.reports.parts import Table
from sightline.reports.terminal import fitted, to_rich
from sightline.tracking.mlflow.queries import (
    add_artifacts,
    default_experiment,
    in_sweep,
    is_model,
    is_sweep,
    runs_named,
    runs_of_experiment,
)
from sightline.tracking.mlflow.stored_run import StoredRun

SHOWN = 20  # rows in the terminal


def compare_and_write(settings: ComparisonSettings) -> None:
    """Compare runs, print the tables, write them, and add those of each sweep to its own run.

    Raises:
        UserError: no such experiment, run or metric; nothing is written.
    """
    folder = _output_folder(settings)
    found = find_runs(settings)
    boards = compare_found(found, settings)
    print_boards(boards)
    write_boards(boards, folder)
    get_console().print(f"written to {folder}", soft_wrap=True, highlight=False)
    trainings = [run for run in found if is_model(run)]
    if not _as_named(trainings, settings):
        sweeps = [run for run in found if is_sweep(run)]
        _add_to_sweeps(sweeps, trainings, settings, boards)


def compare_found(found: Sequence[StoredRun], settings: ComparisonSettings) -> Boards:
    """The boards of the trainings among these runs.

    Raises:
        UserError: no run has the metric, or runs that are named have different tasks.
    """
    trainings = [run for run in found if is_model(run)]
    title = _title(settings, len(trainings))
    return compare(trainings, settings, title, _as_named(trainings, settings))


def _as_named(trainings: Sequence[StoredRun], settings: ComparisonSettings) -> bool:
    """Whether runs are compared with each other: a sweep's run stands for its jobs, any other name
    for itself."""
    return bool(settings.runs) and are_named(trainings, settings.runs)


def are_named(found: Sequence[StoredRun], names: Sequence[str]) -> bool:
    """Whether each run was named by itself, not as a job of a sweep."""
    given = {name.strip().removeprefix("runs:/").split("/")[0] for name in names}
    folders = {Path(name.strip()).expanduser().absolute() for name in names}
    return all(
        run.run_id in given or (run.folder is not None and run.folder.path in folders)
        for run in found
    )


def find_runs(settings: ComparisonSettings) -> list[StoredRun]:
    """The runs that are named, or those of the experiment, sweeps' own runs among them.

    Raises:
        UserError: there are none.
    """
    if settings.runs:
        if settings.experiment is not None:
            raise UserError("runs= and tracking.experiment= exclude each other: give one of them.")
        return runs_named([name.strip() for name in settings.runs], settings.uri)
    name = settings.experiment or default_experiment()
    found = runs_of_experiment(name, settings.uri)
    if not any(is_model(each) for each in found):
        raise UserError(f"tracking.experiment={name}: this experiment has no runs yet.")
    return found


def _add_to_sweeps(
    sweeps: Sequence[StoredRun], trainings: Sequence[StoredRun], settings: ComparisonSettings,
    boards: Boards,
) -> None:  # fmt: skip
    """Log to each sweep's run the boards of its own jobs, where one of these can be ranked."""
    metrics = {board.comparison.board.metric for board in boards.boards}
    for sweep in sweeps:
        jobs = [run for run in trainings if in_sweep(run, sweep)]
        if not any(job.status == "FINISHED" and metrics & job.metrics.keys() for job in jobs):
            continue
        own = boards
        if len(jobs) < len(trainings):
            own = compare(jobs, settings, f"Comparison of {sweep.name}", as_named=False)
        with tempfile.TemporaryDirectory(prefix="sightline-") as temporary:
            folder = Path(temporary) / "comparison"
            write_boards(own, folder)  # the user's folder may hold other files
            add_artifacts(sweep, folder, folder.name)
        get_console().print(f"logged to {sweep.name}", soft_wrap=True, highlight=False)


def _title(settings: ComparisonSettings, count: int) -> str:
    if settings.runs:
        return f"Comparison of {counted(count, 'run')}"
    return f"Comparison of {settings.experiment or default_experiment()}"


def _output_folder(settings: ComparisonSettings) -> Path:
    output = settings.output
    if output is None:
        return project_root() / "comparisons" / stamp()
    folder = Path(output).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"output={output}: this is a file; give a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not settings.overwrite:
        raise UserError(
            f"output={output}: this folder is there already; overwrite=true replaces what "
            "an earlier comparison wrote there."
        )
    return folder


def print_boards(found: Boards) -> None:
    """Print the tables and the notes of each board."""
    console = get_console()
    for board in found.boards:
        if len(found.boards) > 1:
            console.rule(f"[bold]{escape(board.task.title)}", align="left")
        columns = board.comparison.board.columns
        for table, notes in tables_and_notes(board.comparison):
            _print(fitted(table, columns, SHOWN))
            for note in notes:
                console.print(f"- {note}", highlight=False, markup=False)
            console.print()
    if found.others:
        _print(found.about_others)
        console.print()
    for note in found.notes:
        console.print(f"- {note}", highlight=False, markup=False)


def _print(table: Table) -> None:
    console = get_console()
    console.print(to_rich(table, SHOWN))
    if len(table.rows) > SHOWN:
        console.print(f"… and {len(table.rows) - SHOWN:,} more, in {table.name}.csv\n")
