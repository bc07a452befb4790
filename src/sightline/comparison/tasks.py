"""Tasks of the runs that are compared: label mode, classes and data; each has a leaderboard."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.comparison.comparability import NotComparable
from sightline.comparison.compared_run import ComparedRun, split_of
from sightline.config.influence import OF_A_FOLD

Key = tuple[str | None, ...]


@dataclass(frozen=True)
class Task:
    """Runs whose values and predictions can be compared.

    Attributes:
        label_mode: binary, multiclass or multilabel; None where the runs do not say.
        classes: how many, and a digest of their names; None likewise.
        data: names of the data sets.
        digests: of the splits that are compared, by split; for folds of test, which they share.
        runs: in their order.
    """

    label_mode: str | None
    classes: str | None
    data: str
    digests: dict[str, str | None]
    runs: tuple[ComparedRun, ...]

    @property
    def title(self) -> str:
        """The task in a line."""
        classes = self.classes.partition(" ")[0] + " classes" if self.classes else None
        digests = [f"{name} {(value or 'not known')[:8]}" for name, value in self.digests.items()]
        return ", ".join(filter(None, [self.label_mode, self.data, classes, *digests]))

    @property
    def folder(self) -> str:
        """The title as the name of a folder."""
        return re.sub(r"[^\w.]+", "-", self.title).strip("-")[:100]


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
    found: dict[Key, list[ComparedRun]] = {}
    for run in runs:
        found.setdefault(_key(run, splits), []).append(run)
    parts = [part for members in found.values() for part in _by_classes(members)]
    tasks, others = [], []
    for members in parts:
        if any(run.status == "FINISHED" and run.metrics for run in members):
            tasks.append(_task(members, splits))
        else:
            others += members
    if len(tasks) == 1:  # with the runs that failed before they read the data
        tasks = [_task([run for run in runs if run in others or run in tasks[0].runs], splits)]
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


def _key(run: ComparedRun, splits: Sequence[str]) -> Key:
    params = run.params
    digests = tuple(params.get(f"data.digest.{split}") for split in _of_the_task(run, splits))
    folds = tuple(params.get(key) for key in ("data.folds", "data.split_seed"))
    return (params.get("label_mode"), *digests, *(folds if "data.folds" in params else ()))


def _of_the_task(run: ComparedRun, splits: Sequence[str]) -> tuple[str, ...]:
    """The splits whose data all replicates share: in folds, test stands for the others."""
    if "data.folds" not in run.params:
        return tuple(splits)
    shared = ("test" if f"data.digest.{split}" in OF_A_FOLD else split for split in splits)
    return tuple(dict.fromkeys(shared))


def _by_classes(runs: list[ComparedRun]) -> list[list[ComparedRun]]:
    said = {run.params["data.classes"] for run in runs if "data.classes" in run.params}
    if len(said) < 2:
        return [runs]
    found: dict[str | None, list[ComparedRun]] = {}
    for run in runs:
        found.setdefault(run.params.get("data.classes"), []).append(run)
    return list(found.values())


def _task(runs: list[ComparedRun], splits: Sequence[str]) -> Task:
    known = next(run for run in runs if run.status == "FINISHED" and run.metrics)
    params = known.params
    classes = next(
        (run.params["data.classes"] for run in runs if "data.classes" in run.params), None
    )
    data = sorted({run.params["data"] for run in runs if "data" in run.params})
    return Task(
        params.get("label_mode"), classes, "/".join(data),
        {split: params.get(f"data.digest.{split}") for split in _of_the_task(known, splits)},
        tuple(runs),
    )  # fmt: skip
