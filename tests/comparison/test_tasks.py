"""Tasks: runs whose values can stand on one board."""

from __future__ import annotations

import pytest

from sightline.comparison.compare import compare
from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.notes import about_ranks
from sightline.comparison.settings import ComparisonSettings
from sightline.comparison.tables import Comparison
from sightline.comparison.tasks import by_task, different_tasks, splits_compared
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.tracking.mlflow.tags import GROUP, GROUP_DIGEST


def a_run(name: str, status: str = "FINISHED", **params: str) -> ComparedRun:
    given = {key.replace("__", "."): value for key, value in params.items()}
    metrics = {"val_best/loss": 0.5} if status == "FINISHED" else {}
    return ComparedRun(name, name, status, given, metrics, {})


def a_stored_run(weights: str, seed: str) -> StoredRun:
    """Of a loss with these class weights, or none."""
    digest = f"{weights:x<8}"
    params = {"monitor": "val/loss", "seed": seed, "loss": "ce", GROUP: f"of #{digest}"}
    params |= {"loss.class_weights": weights} if weights else {}
    loss, log_loss = (0.9, 0.4) if weights else (0.5, 0.5)
    values = {"val_best/loss": loss, "val_best/log_loss": log_loss}
    return StoredRun(
        weights + seed, None, None, None, "a", "FINISHED", params, values, {GROUP_DIGEST: digest}
    )


def tasks_of(*runs: ComparedRun, splits: tuple[str, ...] = ("val",)) -> list[str]:
    tasks, _ = by_task(runs, splits)
    return ["".join(run.name for run in task.runs) for task in tasks]


def test_label_mode_classes_and_data_tell_tasks_apart() -> None:
    val = {"data__digest__val": "a" * 32}
    runs = [
        a_run("a", label_mode="binary", **val), a_run("b", label_mode="multiclass", **val),
        a_run("c", label_mode="binary", **val),
        a_run("d", label_mode="binary", data__digest__val="b" * 32),
    ]  # fmt: skip
    assert tasks_of(*runs) == ["ac", "d", "b"]
    renamed = [a_run(n, data__classes=f"2 #{c}", **val) for n, c in zip("abc", "xyx", strict=True)]
    assert tasks_of(*renamed) == ["ac", "b"]
    assert tasks_of(renamed[0], a_run("old", **val)) == ["aold"]  # it logged no classes


def test_the_data_is_that_of_the_splits_that_are_compared() -> None:
    runs = [a_run(n, data__digest__val=n, data__digest__test="t") for n in "ab"]
    assert tasks_of(*runs, splits=("test",)) == ["ab"]
    assert tasks_of(*runs, splits=("val", "test")) == ["a", "b"]
    assert splits_compared(None, None) == ("val",)
    assert splits_compared("val_best/loss", "test") == ("val", "test")
    assert splits_compared("loss", "test") == ("test",)
    assert splits_compared("test/loss", None) == ("test",)


def test_folds_are_one_task() -> None:
    folds = {"data__folds": "3", "data__digest__test": "t"}
    runs = [a_run(n, data__digest__val=n, data__fold=n, **folds) for n in "012"]
    assert tasks_of(*runs) == ["012"]
    other = a_run("x", data__digest__val="0", data__split_seed="1", **folds)
    assert tasks_of(*runs, other) == ["012", "x"]


def test_runs_that_did_not_finish_make_no_task() -> None:
    failed = a_run("f", "FAILED")
    one, other = a_run("a", label_mode="binary"), a_run("b", label_mode="multiclass")
    tasks, rest = by_task([one, failed, other], ("val",))
    assert (len(tasks), rest) == (2, [failed])
    assert tasks_of(failed, one) == ["fa"]
    with pytest.raises(Exception, match=r"different tasks.*\n.*'a' \(a\)\n.*'b' \(b\)"):
        raise different_tasks(tasks)


def test_different_losses_are_ranked_by_the_log_loss() -> None:
    """A weighted loss and a plain one are different quantities."""

    def runs(*weights: str) -> list[StoredRun]:
        return [a_stored_run(of, seed) for of in weights for seed in "01"]

    def board(found: list[StoredRun], metric: str | None) -> Comparison:
        settings = ComparisonSettings(metric=metric, against=0)
        (one,) = compare(found, settings, "these", as_named=False).boards
        return one.comparison

    for metric, ranked_by, best, words in (
        (None, "val_best/log_loss", "balanced", "log_loss is one quantity"),
        ("loss", "val_best/loss", "", "do not compare: metric=log_loss"),
    ):
        found = board(runs("", "balanced"), metric)
        assert found.board.metric == ranked_by
        assert found.board.groups[0].runs[0].params.get("loss.class_weights", "") == best
        assert any(words in note for note in about_ranks(found))
    plain = board(runs("balanced"), None)
    assert plain.board.metric == "val_best/loss"
    assert not any("different losses" in note for note in about_ranks(plain))
