"""The page of a sweep, of rows made by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from support.tables import HOSTILE

from sightline.sweeps.board import to_board
from sightline.sweeps.sweep import Sweep
from sightline.sweeps.tasks import SweepTask

METRIC = "val_best/accuracy"


def row(job: int, lr: str, seed: str, value: float, **more: Any) -> dict[str, Any]:
    return {"job": job, "status": "FINISHED", "optimizer.lr": lr, "seed": seed, METRIC: value,
            "run_id": f"id{job}", "error": ""} | more  # fmt: skip


def test_groups_come_first_and_failed_jobs_are_named() -> None:
    sweep = cast(Sweep, SimpleNamespace(title="a sweep", command="sightline train -m"))
    rows = [row(0, "0.1", "0", 0.7), row(1, "0.1", "1", 0.9), row(2, "0.2", "0", 0.95)]
    task = SweepTask(None, [(METRIC, True)], rows, ["optimizer.lr", "seed"])
    groups = [
        {"optimizer.lr": "0.1", "runs": 2, f"{METRIC} mean": 0.8, f"{METRIC} sd": 0.1},
        {"optimizer.lr": "0.2", "runs": 1, f"{METRIC} mean": 0.95, f"{METRIC} sd": float("nan")},
    ]
    failed = row(3, "0.3", "0", 0.0, status="FAILED", error=HOSTILE[0])
    page = to_board(sweep, [*rows, failed], [task], {"": groups}, {})
    assert "best val_best/accuracy 0.95 over 1 run: optimizer.lr=0.2" in page
    assert (
        page.index("Groups of seeds")
        < page.index("Jobs, best first")
        < page.index("<h2>Not finished")
    )
    assert page.count("<script") == 1  # the sorter: an error is text
    alone = to_board(sweep, rows, [task], {"": []}, {})
    assert "best val_best/accuracy 0.95: optimizer.lr=0.2, seed=0" in alone
    lowest = SweepTask(None, [(METRIC, False)], rows, ["optimizer.lr", "seed"])
    assert "0.8 over 2 runs (standard deviation 0.1): optimizer.lr=0.1" in to_board(
        sweep, rows, [lowest], {"": groups}, {}
    )
    assert "0 FINISHED" not in to_board(sweep, [], [], {}, {})


def test_values_of_different_losses_are_said_not_to_compare() -> None:
    rows = [row(0, "0.1", "0", 0.7), row(1, "0.1", "1", 0.9)]
    for metric, keys, compare in (
        ("val_best/loss", ["loss.class_weights"], False), ("val_best/loss", ["seed"], True),
        (METRIC, ["loss.class_weights"], True),
    ):  # fmt: skip
        task = SweepTask(None, [(metric, False)], rows, keys)
        assert ("do not compare" not in " ".join(task.notes)) == compare
    assert not SweepTask(None, [(METRIC, True)], rows[:1], []).notes
