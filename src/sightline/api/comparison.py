"""compare: a leaderboard of runs and its tests, as tables of pandas."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from sightline.api.options import options_of
from sightline.api.run import Run
from sightline.commands.compare import CompareOptions
from sightline.comparison.boards import Board, Boards
from sightline.comparison.rendering import tables_and_notes
from sightline.comparison.run import compare_found, find_runs
from sightline.comparison.settings import ComparisonSettings
from sightline.comparison.tables import leaderboard_records, pair_records
from sightline.reports.parts import Table


@dataclass(frozen=True)
class ComparedRuns:
    """A comparison of runs.

    Attributes:
        leaderboard: a row for each group of runs (one config, any seed and fold), the best first
            within its task: rank, mean and 95 % half-width of the metric, config values, run ids.
        tests: the best group of each task against the next ones: verdict, difference, interval,
            p-values.
        notes: sentences that belong to the tables.
    """

    leaderboard: pd.DataFrame
    tests: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return "\n".join([str(self.leaderboard), *(f"- {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        tables = [self.leaderboard] + ([self.tests] if len(self.tests) else [])
        return "".join(table.to_html(index=False) for table in tables)


def compare(runs: Iterable[str | Path | Run] = (), **options: Any) -> ComparedRuns:
    """Rank runs, and test the best against the next ones, as `sightline compare` does.

    Nothing is printed or written.

    Args:
        runs: by id, folder or another name; a sweep's run stands for its jobs. None: all runs of
            the experiment.
        options: of the command: metric, split, experiment, against, margin, ...

    Raises:
        UserError: no such experiment, run or metric, or runs that do not compare.
    """
    named = [str(run.folder or run.id) if isinstance(run, Run) else str(run) for run in runs]
    given = options_of(CompareOptions, {"runs": named, **options})
    settings = ComparisonSettings(**given.model_dump())
    return as_tables(compare_found(find_runs(settings), settings))


def as_tables(found: Boards) -> ComparedRuns:
    """The boards of a comparison as tables of pandas."""
    several = len(found.boards) > 1
    ranked = [_frame(leaderboard_records(each.comparison.board), each, several)
              for each in found.boards]  # fmt: skip
    tested = [_frame(pair_records(each.comparison.pairs), each, several) for each in found.boards]
    notes = [note for each in found.boards for _, about in tables_and_notes(each.comparison)
             for note in about]  # fmt: skip
    return ComparedRuns(_joined(ranked), _joined(tested), [*dict.fromkeys(notes), *found.notes])


def _frame(table: Table, board: Board, several: bool) -> pd.DataFrame:
    """A board's table; of several boards with its task as the first column."""
    frame = pd.DataFrame(table.rows, columns=table.columns)
    if several:
        frame.insert(0, "task", board.task.title)
    return frame


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)] or list(frames[:1])
    return pd.concat(filled, ignore_index=True)
