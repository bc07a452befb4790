"""The one task of a search: its trials are chosen by values, which must compare."""

from collections.abc import Sequence

from sightline.comparison.tasks import by_task, splits_compared
from sightline.config.schema import Job
from sightline.errors import UserError
from sightline.sweeps.groups import compared_run
from sightline.sweeps.sweep import SweepJob

ADVICE = (
    "A search compares values, so its trials need one task (label mode, classes, data): give each "
    "task a search of its own, or sweep them without hydra/sweeper=optuna."
)


def check_label_modes(jobs: Sequence[Job]) -> None:
    """Refuse a search over label modes.

    Args:
        jobs: samples of the trials, each value of a choice in one at least.

    Raises:
        UserError: names them.
    """
    found = list(dict.fromkeys(job.choices["label_mode"] for job in jobs))
    if len(found) > 1:
        raise UserError(f"label_mode={','.join(found)}: values of these do not compare. {ADVICE}")


class OneTask:
    """Compares the tasks of trials with that of the first one that completed.

    Args:
        objectives: of the search.
    """

    def __init__(self, objectives: Sequence[str]) -> None:
        self._objectives = objectives
        self._first: SweepJob | None = None
        self._found: dict[str, str | None] = {}  # by a trial's folder

    def completed(self, job: SweepJob) -> None:
        """Record a trial that completed."""
        self._first = self._first or job

    def problem(self, job: SweepJob) -> str | None:
        """Why a trial's values do not compare; None where they do, or it did not log its task yet.

        It is another trial than the first.
        """
        if self._first is None or not job.folder.state.params:
            return None
        place = str(job.folder)
        if place not in self._found:
            self._found[place] = other_task(self._first, job, self._objectives)
        return self._found[place]


def other_task(first: SweepJob, job: SweepJob, objectives: Sequence[str]) -> str | None:
    """Why the values of two trials do not compare; None where they do.

    Args:
        first: a trial that completed.
        job: another one.
        objectives: of the search.
    """
    splits = dict.fromkeys(split for name in objectives for split in splits_compared(name, None))
    runs = [compared_run(each, "FINISHED", dict.fromkeys(objectives, 0.0)) for each in (first, job)]
    tasks, _ = by_task(runs, tuple(splits))
    if len(tasks) < 2:
        return None
    titles = {task.runs[0].run_id: task.title for task in tasks}
    return (
        f"its task is {titles[runs[1].run_id]}; that of trial {first.folder.path.name} is "
        f"{titles[runs[0].run_id]}. {ADVICE}"
    )
