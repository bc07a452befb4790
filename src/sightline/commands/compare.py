"""`sightline compare`: a leaderboard over runs, and whether the best of them is really better."""

import logging
import os
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, NonNegativeInt, PositiveInt
from rich import get_console

from sightline.comparison.comparability import NotComparable
from sightline.comparison.compared_run import ComparedRun, choose_metric, more_is_better, split_of
from sightline.comparison.leaderboard import Leaderboard, config_of, make_leaderboard
from sightline.comparison.rendering import WRITTEN, tables_and_notes, write_comparison
from sightline.comparison.tables import Comparison, Looks
from sightline.comparison.verdicts import Pair, compare_pairs, matched_runs
from sightline.config.options import Options, read_options
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

log = logging.getLogger(__name__)

USAGE = """\
usage: sightline compare [tracking.experiment=NAME | runs=[A,B,...]] [OPTIONS]

A leaderboard of the finished runs: configs that differ in seed or fold alone are one group, ranked
by the mean over its runs. The best group is tested against the next ones on the same samples.

examples:
  sightline compare                                       the project's experiment
  sightline compare runs=[RUN_ID,RUN_ID]                  two runs, by id or folder
  sightline compare runs=SWEEP_RUN_ID metric=accuracy     the jobs of a sweep
  sightline compare metric=val_best/f1_macro split=test   ranked on val, tested on test

options:
  tracking.experiment=NAME  every run of this experiment
  tracking.uri=URI          of another MLflow store
  runs=[A,B,...]            these runs alone: ids, folders; a sweep's run stands for its jobs
  metric=KEY                to rank by; by default what the runs monitor, at the best checkpoint
  mode=max|min              which values are better, where the metric's name does not tell
  split=NAME                whose predictions are tested; by default the metric's own
  against=10                how many of the next groups the best is tested against
  resamples=2000            of the bootstrap, for metrics other than accuracy
  seed=0                    of the bootstrap
  output=FOLDER             for tables (CSV), comparison.md and comparison.html
  overwrite=true            replace what an earlier comparison wrote there
"""
SHOWN = 20  # rows in the terminal


class CompareOptions(Options):
    """What `sightline compare` can be told."""

    experiment: str | None = Field(None, alias="tracking.experiment")
    uri: str | None = Field(None, alias="tracking.uri")
    runs: list[str] | str | None = None
    metric: str | None = None
    mode: Literal["max", "min"] | None = None
    split: str | None = None
    against: NonNegativeInt = 10
    resamples: PositiveInt = 2000
    seed: NonNegativeInt = 0
    output: str | None = None
    overwrite: bool = False


def run(words: Sequence[str]) -> int:
    """Compare runs, print the tables and write them.

    Raises:
        UserError: no such experiment, run or metric; nothing is written.
    """
    options, _ = read_options(words, CompareOptions, USAGE)
    folder = _output_folder(options)
    found = find_runs(options)
    comparison = compare(found, options)
    show(comparison)
    _write(comparison, folder)
    get_console().print(f"written to {folder}", soft_wrap=True, highlight=False)
    ranked = {run.run_id for group in comparison.board.groups for run in group.runs}
    jobs = [run for run in found if key_of(run) in ranked]
    sweeps = [run for run in found if is_sweep(run)]
    if options.runs:
        sweeps = sweeps_of(jobs, options.uri)
    for sweep in sweeps:
        if any(in_sweep(job, sweep) for job in jobs):
            add_artifacts(sweep, folder, "comparison")
            get_console().print(f"logged to {sweep.name}", soft_wrap=True, highlight=False)
    return 0


def find_runs(options: CompareOptions) -> list[StoredRun]:
    """Those that the options name.

    Raises:
        UserError: there are none.
    """
    if options.runs:
        if options.experiment is not None:
            raise UserError("runs= and tracking.experiment= exclude each other: give one of them.")
        given = options.runs.split(",") if isinstance(options.runs, str) else options.runs
        return runs_named([name.strip() for name in given], options.uri)
    name = options.experiment or _default_experiment()
    found = runs_of_experiment(name, options.uri)
    if not any(is_training(each) for each in found):
        raise UserError(f"tracking.experiment={name}: this experiment has no runs yet.")
    return found


def compare(found: Sequence[StoredRun], options: CompareOptions) -> Comparison:
    """The leaderboard of these runs, and the tests of the best group.

    Raises:
        UserError: no run has the metric, or runs that are named have different test sets.
    """
    stored = {key_of(each): each for each in found if is_training(each)}
    runs = [_compared(key, each) for key, each in stored.items()]
    metric = choose_metric(runs, options.metric, options.split)
    maximise = more_is_better(metric) if options.mode is None else options.mode == "max"
    alone = bool(options.runs) and len({str(sorted(config_of(r).items())) for r in runs}) == 1
    board = make_leaderboard(runs, metric, maximise, each_alone=alone)
    split = options.split or split_of(metric)
    pairs: list[Pair] = []
    if len(board.groups) > 1 and options.against:
        needed = {run.run_id for pair in matched_runs(board, options.against) for run in pair}
        tables = read_tables([stored[key] for key in needed], split)
        pairs = compare_pairs(board, options.against, split, tables, options.resamples,
                              options.seed)  # fmt: skip
    for pair in pairs:
        if options.runs and isinstance(pair.refused, NotComparable):
            raise pair.refused
    looks = None
    if "test" in (split, split_of(metric)):
        looks = _looks(board, list(stored.values()), options.uri)
    return Comparison(_title(options, len(runs)), board, split, tuple(pairs), looks)


def _compared(key: str, run: StoredRun) -> ComparedRun:
    return ComparedRun(key, run.name, run.status, run.params, run.metrics, run.tags)


def _looks(board: Leaderboard, known: list[StoredRun], uri: str | None) -> Looks | None:
    """At the best group's test set."""
    digests = [run.params.get(TEST_DIGEST) for group in board.groups[:1] for run in group.runs]
    if not digests or digests[0] is None:
        return None
    return Looks(*count_looks(digests[0], known, uri))


def _title(options: CompareOptions, count: int) -> str:
    if options.runs:
        return f"Comparison of {count} runs"
    return f"Comparison of {options.experiment or _default_experiment()}"


@cache
def _default_experiment() -> str:
    """Where trainings are logged unless told otherwise."""
    path = conf_dir() / "tracking" / "mlflow.yaml"
    return str(yaml.safe_load(path.read_text(encoding="utf-8"))["experiment"])


def _output_folder(options: CompareOptions) -> Path:
    if options.output is None:
        return project_root() / "comparisons" / stamp()
    folder = Path(options.output).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"output={options.output}: this is a file; give a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not options.overwrite:
        raise UserError(
            f"output={options.output}: this folder is there already; overwrite=true replaces what "
            "an earlier comparison wrote there."
        )
    return folder


def _write(comparison: Comparison, folder: Path) -> None:
    """Into a folder beside it first, so that a half-written comparison has another name."""
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


def show(comparison: Comparison) -> None:
    """Print the tables and the notes."""
    console = get_console()
    for table, said in tables_and_notes(comparison):
        console.print(to_rich(table, SHOWN))
        if len(table.rows) > SHOWN:
            console.print(f"… and {len(table.rows) - SHOWN:,} more, in {table.name}.csv\n")
        for note in said:
            console.print(f"- {note}", highlight=False, markup=False)
        console.print()
