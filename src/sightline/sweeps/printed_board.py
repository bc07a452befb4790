"""The board of a sweep that ended: its configs by their mean over seeds, and the verdict."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import get_console

from sightline.comparison.settings import ComparisonSettings
from sightline.errors import UserError, counted
from sightline.runs.folder import RunFolder
from sightline.sweeps.sweep import Sweep, swept_keys

if TYPE_CHECKING:
    from sightline.comparison.boards import Boards

log = logging.getLogger(__name__)

SHOWN = 10  # configs
AGAINST = 3  # next configs that the best is tested against


def compare_jobs(
    folders: Sequence[RunFolder], name: str, metric: str | None = None,
    plugins: tuple[str, ...] = (),
) -> "Boards":  # fmt: skip
    """A board for each task of finished jobs, from their folders alone.

    Args:
        folders: of the jobs.
        name: of the sweep.
        metric: that they are ranked by; None: the one that they monitor.
        plugins: packages with metrics of their own.

    Raises:
        UserError: no job has the metric.
    """
    # Both import what takes seconds, which the start of a sweep does not wait for.
    from sightline.comparison.compare import compare
    from sightline.tracking.mlflow.stored_run import read_from_journal

    settings = ComparisonSettings(metric=metric, against=AGAINST, plugins=plugins)
    return compare([read_from_journal(each) for each in folders], settings, name, as_named=False)


def print_board(sweep: Sweep) -> None:
    """Print the board of each task, best first, and what the tests say; nothing of a single run."""
    folders = [each.folder for each in sweep.jobs if each.folder.results() is not None]
    if len(folders) < 2:
        return
    from sightline.comparison.printed import print_ranked

    metric = sweep.objectives[0][0] if sweep.objectives else None
    plugins = tuple(dict.fromkeys(p for each in sweep.jobs for p in each.config.plugins))
    try:
        found = compare_jobs(folders, sweep.name, metric, plugins)
    except UserError as error:  # such as a metric that no job has
        log.warning("no board of %s: %s", counted(len(folders), "job"), error)
        return
    get_console().print()
    keys = swept_keys([each.job for each in sweep.jobs])
    for board in found.boards:
        title = board.task.title if len(found.boards) > 1 else None
        print_ranked(board.comparison, SHOWN, keys, title)
