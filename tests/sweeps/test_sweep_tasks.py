"""Tasks of a sweep: nothing of two tasks is ranked, averaged or drawn together."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.commands import Done

from sightline.config.compose import compose_job
from sightline.runs.folder import RunFolder
from sightline.runs.journal.records import ViewRecord
from sightline.runs.journal.state import read_journal
from sightline.sweeps.figures import SweepFigures
from sightline.sweeps.note import to_markdown
from sightline.sweeps.search.tasks import OneTask, other_task
from sightline.sweeps.sweep import Sweep, SweepJob, open_job, swept_keys
from sightline.sweeps.table import Row, job_row
from sightline.sweeps.tasks import SweepTask, SweepTasks, may_differ, with_tasks
from sightline.tracking.tracker import Tracker

Values = dict[str, float]


@pytest.fixture
def finished(tmp_path: Path) -> Callable[..., SweepJob]:
    """A finished job, with what a training logs of its data and its epochs."""

    def make(words: Sequence[str], digest: str, values: Values) -> SweepJob:
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        job = open_job(*compose_job([*words, f"hydra.run.dir={place}"]))
        tracker = Tracker(job.folder)
        tracker.start(place.name, {})
        params = {"label_mode": job.job.choices["label_mode"], "data": "digits"}
        tracker.log_params(params | {"data.digest.val": digest, "monitor": job.config.monitor})
        for epoch in range(2):
            tracker.log_metrics({f"val/{name}": v for name, v in values.items()}, epoch)
        tracker.log_json({"metrics": {"val": values}, "epochs": 2}, "results.json")
        tracker.finish("FINISHED")
        return job

    return make


def tasks_of(jobs: list[SweepJob], tmp_path: Path) -> tuple[Sweep, list[Row], list[SweepTask]]:
    sweep = Sweep(RunFolder(tmp_path / "sweep"), "s", "", jobs, True, None, jobs[0].config.tracking)
    keys = swept_keys([each.job for each in jobs])
    keys = [key for key in keys if key != "hydra.run.dir"]
    tasks = SweepTasks(sweep)
    rows = [job_row(n, each, keys, tasks.metrics, None, None) for n, each in enumerate(jobs)]
    return sweep, rows, tasks.find(rows, keys)


def two_modes(finished: Callable[..., SweepJob]) -> list[SweepJob]:
    """Multiclass has losses of 2.1 and 2.0; binary, which monitors accuracy, 0.24 and 0.3."""
    values = {"multiclass": (2.1, 2.0, 1.9), "binary": (0.24, 0.3)}
    monitors = {"multiclass": "val/loss", "binary": "val/accuracy"}
    return [
        finished(
            [f"label_mode={mode}", f"monitor={monitors[mode]}", f"optimizer.lr=0.{1 + n // 2}",
             f"seed={n}"],
            mode[0] * 32, {"loss": loss, "accuracy": 1 / (1 + loss)},
        )
        for mode, losses in values.items()
        for n, loss in enumerate(losses)
    ]  # fmt: skip


def test_each_task_is_ranked_by_what_it_monitors(
    finished: Callable[..., SweepJob], tmp_path: Path
) -> None:
    sweep, rows, tasks = tasks_of(two_modes(finished), tmp_path)
    assert [task.objectives for task in tasks] == [
        [("val_best/loss", False)], [("val_best/accuracy", True)],
    ]  # fmt: skip
    assert [[row["job"] for row in task.best_first] for task in tasks] == [[2, 1, 0], [3, 4]]
    names = [task.facts.name for task in tasks if task.facts]
    assert [name.rpartition("-")[0] for name in names] == ["multiclass-digits", "binary-digits"]
    assert [task.best_key for task in tasks] == [
        f"best/{names[0]}/val_best/loss", f"best/{names[1]}/val_best/accuracy"
    ]  # fmt: skip
    assert [task.keys for task in tasks] == [["optimizer.lr", "seed"], ["seed"]]
    table = with_tasks(rows, tasks)
    assert [row["task"] for row in table] == [names[0]] * 3 + [names[1]] * 2
    drawn = SweepFigures(sweep).draw(tasks[0])
    points = drawn["best_so_far"].axes[0].lines[0].get_ydata()
    assert sorted(points) == [1.9, 2.0, 2.1]
    assert drawn["mean_curves"].axes[0].get_ylabel() == "val/loss"
    labels = [line.get_label() for line in drawn["mean_curves"].axes[0].lines]
    assert sorted(labels) == ["optimizer.lr=0.1 (2)", "optimizer.lr=0.2 (1)"]  # of two seeds


def test_the_note_has_a_table_for_each_task(
    finished: Callable[..., SweepJob], tmp_path: Path
) -> None:
    _, rows, tasks = tasks_of(two_modes(finished), tmp_path)
    note = to_markdown(rows, tasks)
    first, _, second = note.partition("**binary, digits, val bbbbbbbb**")
    assert "5 jobs: 5 FINISHED" in first
    assert "values of different tasks do not compare" in first
    assert "**multiclass, digits, val mmmmmmmm**" in first
    assert [line[:3] for line in first.splitlines() if line.startswith("| ")][1:] == [
        "| 2", "| 1", "| 0"
    ]  # fmt: skip
    assert [line[:3] for line in second.splitlines() if line.startswith("| ")][1:] == ["| 3", "| 4"]
    assert "The best of 3 by val_best/loss is optimistic" in first
    assert "The best of 2 by val_best/accuracy is optimistic" in second


def test_a_sweep_of_one_task_does_not_name_it(
    finished: Callable[..., SweepJob], tmp_path: Path
) -> None:
    words = [["data.batch_size=32", "seed=0"], ["data.batch_size=64", "seed=0"]]
    jobs = [finished(each, "d" * 32, {"loss": n + 1.0}) for n, each in enumerate(words)]
    _, rows, tasks = tasks_of(jobs, tmp_path)
    assert [(task.facts, task.best_key, task.folder) for task in tasks] == [
        (None, "best/val_best/loss", "")
    ]  # fmt: skip
    assert with_tasks(rows, tasks) == rows
    assert "different tasks" not in to_markdown(rows, tasks)
    assert "optimistic" not in to_markdown(rows[:1], tasks_of(jobs[:1], tmp_path)[2])
    # The data changed between two jobs, whose configs are the same: no longer one task.
    jobs.append(finished(["data.batch_size=32", "seed=1"], "e" * 32, {"loss": 0.1}))
    _, _, tasks = tasks_of(jobs, tmp_path)
    assert [[row["job"] for row in task.best_first] for task in tasks] == [[0, 1], [2]]
    assert all(task.facts for task in tasks)


def test_configs_that_may_read_other_samples(finished: Callable[..., SweepJob]) -> None:
    def differ(*words: str) -> bool:
        return may_differ([finished([word], "d" * 32, {"loss": math.nan}) for word in words])

    assert not differ("data.batch_size=8", "data.cache=none", "data.sampler=balanced", "seed=3")
    assert differ("data.val_fraction=0.1", "data.val_fraction=0.2")
    assert differ("label_mode=binary", "label_mode=multiclass")


def test_trials_of_a_search_have_one_task(finished: Callable[..., SweepJob]) -> None:
    one, same = (finished([f"seed={n}"], "d" * 32, {"loss": 1.0}) for n in range(2))
    other = finished(["seed=2"], "e" * 32, {"loss": 1.0})
    assert other_task(one, same, ["val_best/loss"]) is None
    error = other_task(one, other, ["val_best/loss"])
    assert error is not None
    assert "its task is multiclass, digits, val eeeeeeee; that of trial 0" in error
    task = OneTask(["val_best/loss"])
    assert task.problem(other) is None  # nothing completed yet
    task.completed(one)
    waiting = open_job(*compose_job(["seed=3", "hydra.run.dir=nowhere"]))
    assert [task.problem(each) for each in (one, same, other, waiting)] == [None, None, error, None]


def test_a_sweep_over_label_modes_logs_each_apart(
    cheap: Callable[..., Done], tmp_path: Path
) -> None:
    done = cheap("label_mode=multiclass,binary", "optimizer.lr=0.02")
    assert done.status == 0, done.err
    folder = RunFolder(tmp_path / "sweep")
    with (folder.path / "summary.csv").open() as stream:
        names = list(dict.fromkeys(row["task"] for row in csv.DictReader(stream)))
    assert [name.partition("-")[0] for name in names] == ["multiclass", "binary"]
    best = {key: value for key, value in folder.state.metrics.items() if key.startswith("best/")}
    assert best == {f"best/{name}/val_best/loss": pytest.approx(0.0001) for name in names}
    records = [record for record, _ in read_journal(folder.upload.journal)]
    views = {each.key: each.view for each in records if isinstance(each, ViewRecord)}
    whole = min(views, key=len)
    assert set(views) == {whole, *(f"{whole}-{name}" for name in names)}
    assert "metrics" not in views[whole]["orderByKey"]
    assert "`label_mode` = 'binary'" in json.dumps(views[f"{whole}-{names[1]}"])
