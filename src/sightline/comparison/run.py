"""Comparison of stored runs, top-down: finding, ranking, testing and writing."""

import os
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import yaml
from rich import get_console

from sightline.comparison.comparability import NotComparable
from sightline.comparison.compared_run import ComparedRun, choose_metric, higher_is_better, split_of
from sightline.comparison.leaderboard import Leaderboard, config_of, make_leaderboard
from sightline.comparison.rendering import WRITTEN, tables_and_notes, write_comparison
from sightline.comparison.settings import ComparisonSettings
from sightline.comparison.tables import Comparison, Looks
from sightline.comparison.verdicts import Pair, compare_pairs, matched_runs
from sightline.errors import UserError
from sightline.paths import conf_dir, project_root, stamp
from sightline.reports.terminal import to_rich
from sightline.tracking.mlflow.queries import (
    TEST_DIGEST,
    add_artifacts,
    count_looks,
    in_sweep,
    is_sweep,
    is_training,
    key_of,
    read_tables,
    runs_named,
    runs_of_experiment,
    sweeps_of,
)
from sightline.tracking.mlflow.stored_run import StoredRun

SHOWN = 20  # rows in the terminal


def compare_and_write(settings: ComparisonSettings) -> None:
    """Compare runs, print the tables, write them, and add the files to the runs of sweeps.

    Raises:
        UserError: no such experiment, run or metric; nothing is written.
    """
    folder = _output_folder(settings)
    found = find_runs(settings)
    comparison = compare(found, settings)
    print_comparison(comparison)
    _write(comparison, folder)
    get_console().print(f"written to {folder}", soft_wrap=True, highlight=False)
    ranked = {run.run_id for group in comparison.board.groups for run in group.runs}
    jobs = [run for run in found if key_of(run) in ranked]
    sweeps = [run for run in found if is_sweep(run)]
    if settings.runs:
        sweeps = sweeps_of(jobs, settings.uri)
    for sweep in sweeps:
        if any(in_sweep(job, sweep) for job in jobs):
            add_artifacts(sweep, folder, "comparison")
            get_console().print(f"logged to {sweep.name}", soft_wrap=True, highlight=False)


def find_runs(settings: ComparisonSettings) -> list[StoredRun]:
    """The runs that are named, or those of the experiment.

    Raises:
        UserError: there are none.
    """
    if settings.runs:
        if settings.experiment is not None:
            raise UserError("runs= and tracking.experiment= exclude each other: give one of them.")
        return runs_named([name.strip() for name in settings.runs], settings.uri)
    name = settings.experiment or _default_experiment()
    found = runs_of_experiment(name, settings.uri)
    if not any(is_training(each) for each in found):
        raise UserError(f"tracking.experiment={name}: this experiment has no runs yet.")
    return found


def compare(found: Sequence[StoredRun], settings: ComparisonSettings) -> Comparison:
    """The leaderboard of these runs, and the tests of the best group.

    Raises:
        UserError: no run has the metric, or runs that are named have different test sets.
    """
    stored = {key_of(each): each for each in found if is_training(each)}
    runs = [_compared(key, each) for key, each in stored.items()]
    metric = choose_metric(runs, settings.metric, settings.split)
    plugins = settings.plugins
    maximise = (
        higher_is_better(metric, plugins) if settings.mode is None else settings.mode == "max"
    )
    alone = bool(settings.runs) and len({str(sorted(config_of(r).items())) for r in runs}) == 1
    board = make_leaderboard(runs, metric, maximise, each_alone=alone)
    split = settings.split or split_of(metric)
    pairs: list[Pair] = []
    if len(board.groups) > 1 and settings.against:
        needed = {run.run_id for pair in matched_runs(board, settings.against) for run in pair}
        tables = read_tables([stored[key] for key in needed], split)
        pairs = compare_pairs(board, settings.against, split, tables, settings.resamples,
                              settings.seed, plugins)  # fmt: skip
    for pair in pairs:
        if settings.runs and isinstance(pair.refused, NotComparable):
            raise pair.refused
    looks = None
    if "test" in (split, split_of(metric)):
        looks = _looks(board, list(stored.values()), settings.uri)
    return Comparison(_title(settings, len(runs)), board, split, tuple(pairs), looks)


def _compared(key: str, run: StoredRun) -> ComparedRun:
    return ComparedRun(key, run.name, run.status, run.params, run.metrics, run.tags)


def _looks(board: Leaderboard, known: list[StoredRun], uri: str | None) -> Looks | None:
    """How often the best group's test set was inspected."""
    digests = [run.params.get(TEST_DIGEST) for group in board.groups[:1] for run in group.runs]
    if not digests or digests[0] is None:
        return None
    return Looks(*count_looks(digests[0], known, uri))


def _title(settings: ComparisonSettings, count: int) -> str:
    if settings.runs:
        return f"Comparison of {count} runs"
    return f"Comparison of {settings.experiment or _default_experiment()}"


@cache
def _default_experiment() -> str:
    """The experiment that trainings are logged to by default."""
    path = conf_dir() / "tracking" / "mlflow.yaml"
    return str(yaml.safe_load(path.read_text(encoding="utf-8"))["experiment"])


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


def _write(comparison: Comparison, folder: Path) -> None:
    """Write the files into a folder beside it first, so that they appear only when complete."""
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        write_comparison(comparison, partial)
        folder.mkdir(exist_ok=True)
        for name in WRITTEN:
            (folder / name).unlink(missing_ok=True)
        for path in partial.iterdir():
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(partial)


def print_comparison(comparison: Comparison) -> None:
    """Print the tables and the notes."""
    console = get_console()
    for table, notes in tables_and_notes(comparison):
        console.print(to_rich(table, SHOWN))
        if len(table.rows) > SHOWN:
            console.print(f"… and {len(table.rows) - SHOWN:,} more, in {table.name}.csv\n")
        for note in notes:
            console.print(f"- {note}", highlight=False, markup=False)
        console.print()
