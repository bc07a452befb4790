"""Tasks of a sweep's jobs: only jobs of one task are ranked, averaged and drawn together."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.comparison.compared_run import ComparedRun, stored_as
from sightline.comparison.expected_maximum import optimism
from sightline.comparison.tasks import by_task
from sightline.sweeps.groups import compared_run
from sightline.sweeps.sweep import Sweep, SweepJob, by_monitor
from sightline.sweeps.table import Row
from sightline.tracking.task import RANKED, TaskFacts

# Keys of `data` that leave the samples of val, or the task that folds share, as they are.
LOADING = frozenset({
    "batch_size", "effective_batch_size", "num_workers", "cache", "cache_max_gib", "sampler",
    "fold", "decode", "background", "train_fraction", "per_class", "draw_seed",
})  # fmt: skip


@dataclass(frozen=True)
class SweepTask:
    """Jobs of one task that can be ranked.

    Attributes:
        facts: of the task; None where the sweep has no other.
        objectives: the metrics that its jobs are compared by, and whether higher is better.
        rows: of the jobs that have a value of the first metric, by their numbers.
        keys: the swept keys that tell its jobs apart.
    """

    facts: TaskFacts | None
    objectives: list[tuple[str, bool]]
    rows: list[Row]
    keys: list[str]

    @property
    def metrics(self) -> list[str]:
        """The names of the objectives."""
        return [name for name, _ in self.objectives]

    @property
    def maximise(self) -> bool:
        """Whether a larger value of the first metric is better."""
        return self.objectives[0][1]

    @property
    def best_first(self) -> list[Row]:
        """The rows, ranked."""
        metric = self.metrics[0]
        return sorted(self.rows, key=lambda row: float(row[metric]), reverse=self.maximise)

    @property
    def notes(self) -> list[str]:
        """Sentences on the limits of its order; none of a single job."""
        if len(self.rows) < 2:
            return []
        metric = self.metrics[0]
        notes = [optimism(len(self.rows), metric)]
        losses = [key for key in self.keys if key.partition(".")[0] == "loss"]
        if losses and stored_as(metric) is not None:
            notes.append(
                f"The jobs have different losses ({', '.join(losses)}), so their values of "
                f"{metric} do not compare: sightline compare ranks by the log loss; another "
                "monitor, such as val/accuracy, is one quantity."
            )
        return notes

    @property
    def folder(self) -> str:
        """Where its files are, below the sweep's; empty, or with a slash at its end."""
        return f"tasks/{self.facts.name}/" if self.facts is not None else ""

    @property
    def best_key(self) -> str:
        """The metric of the sweep's run that holds its best value."""
        metric = self.metrics[0]
        return f"best/{self.facts.name}/{metric}" if self.facts is not None else f"best/{metric}"


class SweepTasks:
    """Finds the tasks of the jobs that finished, by what these logged of their data.

    Args:
        sweep: with the jobs; the trials of a search have one task, which `Trials` sees to.

    Attributes:
        metrics: that any of the tasks may be ranked by.
        named: whether there are several tasks, or may be by the configs.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self._monitored = [by_monitor(each.config) for each in sweep.jobs]  # a grid has all
        found = sweep.objectives or self._monitored
        self.metrics = list(dict.fromkeys(name for name, _ in found))
        self.named = not sweep.objectives and may_differ(sweep.jobs)
        self._runs: dict[int, ComparedRun] = {}  # by job; a finished one does not change

    def find(self, rows: Sequence[Row], keys: list[str]) -> list[SweepTask]:
        """The tasks, those of most jobs first; while no job finished one without rows, or none.

        Args:
            rows: of all jobs.
            keys: the swept keys.
        """
        if self.sweep.objectives:
            return [_ranked(None, self.sweep.objectives, rows, keys)]
        numbers = {self._run(row).run_id: row for row in rows if self._has_value(row)}
        tasks, _ = by_task([self._run(row) for row in numbers.values()], RANKED)
        self.named = self.named or len(tasks) > 1
        if not tasks:
            return [] if self.named else [_ranked(None, [_common(self._monitored)], [], keys)]
        found = []
        for task in tasks:
            members = [numbers[run.run_id] for run in task.runs]
            objective = _common([self._monitored[row["job"]] for row in members])
            facts = task.facts if self.named else None
            found.append(_ranked(facts, [objective], members, keys))
        return found

    def _has_value(self, row: Row) -> bool:
        return any(math.isfinite(row[metric]) for metric in self.metrics)

    def _run(self, row: Row) -> ComparedRun:
        number = int(row["job"])
        if number not in self._runs:
            values = {metric: row[metric] for metric in self.metrics}
            self._runs[number] = compared_run(self.sweep.jobs[number], "FINISHED", values)
        return self._runs[number]


def may_differ(jobs: Sequence[SweepJob]) -> bool:
    """Whether the jobs' configs leave open that they have several tasks."""
    found = set()
    for each in jobs:
        data = {key: value for key, value in each.config.data.items() if key not in LOADING}
        asked = [each.job.choices.get("label_mode"), each.config.label_mode, data]
        found.add(json.dumps(asked, sort_keys=True, default=str))
    return len(found) > 1


def with_tasks(rows: Sequence[Row], tasks: Sequence[SweepTask]) -> list[Row]:
    """The rows with the name of each one's task, where tasks have names."""
    names = {row["job"]: task.facts.name for task in tasks if task.facts for row in task.rows}
    if not names:
        return list(rows)
    return [{"job": row["job"], "task": names.get(row["job"], "")} | row for row in rows]


def _ranked(
    facts: TaskFacts | None, objectives: list[tuple[str, bool]], rows: Sequence[Row],
    keys: list[str],
) -> SweepTask:  # fmt: skip
    having = [row for row in rows if math.isfinite(row[objectives[0][0]])]
    own = [key for key in keys if facts is None or len({row[key] for row in having}) > 1]
    return SweepTask(facts, objectives, having, own)


def _common(objectives: Sequence[tuple[str, bool]]) -> tuple[str, bool]:
    """What most jobs monitor; of equally many the first."""
    return statistics.mode(objectives)
