"""Tasks of the runs that are compared: label mode, classes and data; each has a leaderboard."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sightline.comparison.comparability import NotComparable
from sightline.comparison.compared_run import ComparedRun, split_of
from sightline.config.data_name import data_name
from sightline.tracking.task import CLASSES, TaskFacts, task_facts

ABOUT_TASKS = "for each task (label mode, classes, data): values of different tasks do not compare."


@dataclass(frozen=True)
class Task:
    """Runs whose values and predictions can be compared.

    Attributes:
        facts: that they share.
        runs: in their order.
    """

    facts: TaskFacts
    runs: tuple[ComparedRun, ...]

    @property
    def title(self) -> str:
        """The task in a line."""
        return self.facts.title


def by_task(
    runs: Sequence[ComparedRun], splits: Sequence[str]
) -> tuple[list[Task], list[ComparedRun]]:
    """The tasks, those of most runs first, and the runs that say too little to belong to one.

    Classes separate runs of the same data only where both log them, which older versions did not.
    Runs that did not finish make no task of their own.

    Args:
        runs: all.
        splits: which are ranked by and tested on: their data tells tasks apart.
    """
    found: dict[tuple[str | None, ...], list[ComparedRun]] = {}
    for run in runs:
        found.setdefault(task_facts(run.params, splits).key, []).append(run)
    parts = [part for members in found.values() for part in _by_classes(members)]
    tasks, others = [], []
    for members in parts:
        if any(map(_is_known, members)):
            tasks.append(_task(members, splits))
        else:
            others += members
    if len(tasks) == 1:  # with the runs that failed before they read the data
        own = {id(run) for run in (*others, *tasks[0].runs)}
        tasks = [_task([run for run in runs if id(run) in own], splits)]
        others = []
    return sorted(tasks, key=lambda task: (-len(task.runs), task.title)), others


def splits_compared(metric: str | None, split: str | None) -> tuple[str, ...]:
    """The splits that are ranked by and tested on.

    Args:
        metric: as given to `compare`.
        split: likewise.
    """
    ranked = split_of(metric) if metric is not None and "/" in metric else split or "val"
    return tuple(dict.fromkeys((ranked, split or ranked)))


def different_tasks(tasks: Sequence[Task]) -> NotComparable:
    """The error for runs that are named to be compared, but cannot be."""
    lines = [
        f"  {task.title}: {', '.join(f'{run.name!r} ({run.run_id})' for run in task.runs)}"
        for task in tasks
    ]
    return NotComparable(
        "These runs have different tasks, so neither their values nor their predictions can be "
        "compared:\n" + "\n".join(lines) + "\nCompare runs of one task, or evaluate one of them on "
        "the other's data; `compare` of an experiment or of a sweep's run makes a board of each "
        "task."
    )


def _by_classes(runs: list[ComparedRun]) -> list[list[ComparedRun]]:
    known = {run.params[CLASSES] for run in runs if CLASSES in run.params}
    if len(known) < 2:
        return [runs]
    found: dict[str | None, list[ComparedRun]] = {}
    for run in runs:
        found.setdefault(run.params.get(CLASSES), []).append(run)
    return list(found.values())


def _task(runs: list[ComparedRun], splits: Sequence[str]) -> Task:
    known = [run for run in runs if _is_known(run)]
    classes = next((run.params[CLASSES] for run in runs if CLASSES in run.params), None)
    data = sorted({data_name(run.params) for run in known} - {""})
    facts = task_facts(known[0].params, splits)
    return Task(replace(facts, classes=classes, data="/".join(data)), tuple(runs))


def _is_known(run: ComparedRun) -> bool:
    """Whether its parameters are complete and say its task."""
    return run.status == "FINISHED" and bool(run.metrics)
