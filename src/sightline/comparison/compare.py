"""Boards of stored runs: their groups and tasks found, then each task ranked and tested."""

from collections.abc import Sequence

from sightline.comparison.boards import Board, Boards
from sightline.comparison.comparability import NotComparable
from sightline.comparison.compared_run import (
    ComparedRun,
    bounds_of,
    choose_metric,
    higher_is_better,
    split_of,
    stored_as,
)
from sightline.comparison.differing_models import differing_models
from sightline.comparison.grouping import (
    differ_in_loss,
    group_key,
    knows_its_group,
    with_stored_config,
)
from sightline.comparison.label_curves import label_curves
from sightline.comparison.leaderboard import Leaderboard, Unranked, make_leaderboard, why_not
from sightline.comparison.named_groups import grouped_by
from sightline.comparison.settings import ComparisonSettings
from sightline.comparison.tables import Comparison, Looks
from sightline.comparison.tasks import Task, by_task, different_tasks, splits_compared
from sightline.comparison.tested_board import add_tests
from sightline.errors import UserError, counted
from sightline.tracking.mlflow.queries import TEST_DIGEST, count_looks, key_of
from sightline.tracking.mlflow.stored_files import read_configs
from sightline.tracking.mlflow.stored_run import StoredRun


def compare(
    found: Sequence[StoredRun], settings: ComparisonSettings, title: str, as_named: bool
) -> Boards:
    """A board for each task of these runs.

    Args:
        found: trainings.
        settings: of the comparison.
        title: names the runs.
        as_named: whether these runs are to be compared with each other: their task has to be one,
            and those of one config each stand for themselves.

    Raises:
        UserError: no run has the metric, or runs that are named have different tasks.
    """
    stored = {key_of(each): each for each in found}
    runs, notes = _groups_of(stored, settings)
    choose_metric(runs, settings.metric, settings.split)  # refused where no run has it
    tasks, rest = by_task(runs, splits_compared(settings.metric, settings.split))
    if as_named and len(tasks) > 1:
        raise different_tasks(tasks)
    boards, off = [], [(run, "metric") for run in rest]
    for task in tasks:
        metric = _metric_of(task, runs, settings)
        if any(why_not(run, metric) is None for run in task.runs) or len(tasks) == 1:
            name = title if len(tasks) == 1 else f"{title}: {task.title}"
            compared = _compare_task(task, metric, stored, settings, name, as_named)
            boards.append(Board(task, compared))
        else:
            off += [(run, metric) for run in task.runs]
    others = tuple(Unranked(run, str(why_not(run, metric))) for run, metric in off)
    return Boards(title, tuple(boards), others, notes)


def _groups_of(
    stored: dict[str, StoredRun], settings: ComparisonSettings
) -> tuple[list[ComparedRun], tuple[str, ...]]:
    """The runs with what tells their groups: the parameters that are named, else the config."""
    if settings.group_by:
        return grouped_by(stored, settings.group_by, settings.seeds), ()
    if settings.seeds is not None:
        raise UserError(f"seeds={settings.seeds} needs group_by=[PARAMETER,...] beside it.")
    return with_groups(stored)


def _metric_of(task: Task, runs: Sequence[ComparedRun], settings: ComparisonSettings) -> str:
    """What a task is ranked by: as given, else what most of its own runs monitor.

    That is the log loss in place of different losses.
    """
    if settings.metric is not None:
        return choose_metric(runs, settings.metric, settings.split)
    metric = choose_metric(task.runs, None, settings.split)
    ranked = [run for run in task.runs if why_not(run, metric) is None]
    other = stored_as(metric)
    if other is None or not differ_in_loss(ranked):
        return metric
    return other if all(why_not(run, other) is None for run in ranked) else metric


def with_groups(stored: dict[str, StoredRun]) -> tuple[list[ComparedRun], tuple[str, ...]]:
    """The runs with what tells their groups, of older ones from their stored config; and notes."""
    runs = [
        ComparedRun(key, each.name, each.status, each.params, each.metrics, each.tags)
        for key, each in stored.items()
    ]
    unclear = [run for run in runs if not knows_its_group(run.params, run.tags)]
    configs = read_configs([stored[run.run_id] for run in unclear])
    known = {run.run_id: with_stored_config(run, configs[run.run_id]) for run in unclear}
    without = sum(configs[run.run_id] is None and run.status == "FINISHED" for run in unclear)
    note = (
        f"{counted(without, 'finished run')} without a stored config that can be read: "
        "grouped by parameters alone, which hold no lists of components."
    )
    return [known.get(run.run_id, run) for run in runs], (note,) if without else ()


def _compare_task(
    task: Task, metric: str, stored: dict[str, StoredRun], settings: ComparisonSettings,
    title: str, as_named: bool,
) -> Comparison:  # fmt: skip
    """The leaderboard of one task, and the tests of the best group."""
    maximise = higher_is_better(metric, settings.plugins, settings.mode)
    alone = as_named and len({group_key(run) for run in task.runs}) == 1
    bounds = bounds_of(metric, settings.plugins)
    board = make_leaderboard(task.runs, metric, maximise, alone, bounds)
    split = settings.split or split_of(metric)
    tested = add_tests(board, stored, split, settings)
    for pair in tested.pairs:
        if as_named and isinstance(pair.refused, NotComparable):
            raise pair.refused
    looks = None
    if "test" in (split, split_of(metric)):
        looks = _looks(board, list(stored.values()), settings.uri)
    differences = differing_models(tested.pairs, stored, split) if as_named else None
    ranked = [run for group in board.groups for run in group.runs]
    curves = () if alone else tuple(label_curves(ranked, metric, maximise, bounds))
    return Comparison(
        title, tested.board, split, tested.pairs, looks, tested.selection, settings.margin,
        differences, curves,
    )  # fmt: skip


def _looks(board: Leaderboard, known: list[StoredRun], uri: str | None) -> Looks | None:
    """How often the best group's test set was inspected."""
    digests = [run.params.get(TEST_DIGEST) for group in board.groups[:1] for run in group.runs]
    if not digests or digests[0] is None:
        return None
    return Looks(*count_looks(digests[0], known, uri))
