"""Groups and columns of a leaderboard, as runs log them and as older ones did."""

from __future__ import annotations

from typing import Any

import pytest

from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.config_columns import config_columns
from sightline.comparison.grouping import group_key, knows_its_group, with_stored_config
from sightline.comparison.leaderboard import Leaderboard, make_leaderboard
from sightline.config.compose import compose_job
from sightline.config.influence import group_digest, influences
from sightline.tracking.description import group_name, params

ROTATION = "{_target_:torchvision.transforms.v2.RandomRotation,degrees:%d}"


def a_run(accuracy: float, *words: str, facts: dict[str, str] | None = None) -> ComparedRun:
    """A run as a training logs it.

    Args:
        accuracy: of its best checkpoint.
        words: overrides.
        facts: parameters that it found out.
    """
    config, job = compose_job([*words])
    found = {"data.cache.used": "ram", "trainer.world_size": "1"}
    logged = {k: str(v) for k, v in params(config, job).items()} | found | (facts or {})
    digest = group_digest(influences(config.model_dump(mode="json"), logged))
    logged["group"] = group_name(config, job, digest)
    name = " ".join(words) + f" {accuracy}"
    metrics = {"val_best/accuracy": accuracy}
    return ComparedRun(name, name, "FINISHED", logged, metrics, {"group.digest": digest})


def older(accuracy: float, *words: str, cache: str = "ram") -> tuple[ComparedRun, dict[str, Any]]:
    """A run as it was logged before there were digests, and its stored config."""
    config, job = compose_job([*words])
    logged = {
        key: str(value)
        for key, value in params(config, job).items()
        if "transforms." not in key and not key.endswith("_target_") and key != "augment.form"
    } | {"group": "a name", "data.cache.used": cache}  # fmt: skip
    name = " ".join(words)
    run = ComparedRun(name, name, "FINISHED", logged, {"val_best/accuracy": accuracy}, {})
    values = config.model_dump(mode="json")
    del values["augment"]["form"]  # it followed from the cache
    return run, values


def board_of(*runs: ComparedRun) -> Leaderboard:
    return make_leaderboard(runs, "val_best/accuracy", maximise=True)


def rotated(degrees: int) -> str:
    return f"augment.transforms=[{ROTATION % degrees}]"


def test_lists_of_components_are_part_of_the_config() -> None:
    same_seed = board_of(a_run(0.5, rotated(0)), a_run(0.6, rotated(45)))
    assert [len(group.runs) for group in same_seed.groups] == [1, 1]
    assert same_seed.unranked == ()
    assert same_seed.columns == ("augment.transforms.0.degrees",)
    assert [group.config[same_seed.columns[0]] for group in same_seed.groups] == ["45", "0"]
    other_seed = board_of(a_run(0.5, rotated(0), "seed=1"), a_run(0.6, rotated(45), "seed=2"))
    assert [str(group.score) for group in other_seed.groups] == ["0.6000", "0.5000"]


def test_what_has_no_influence_makes_no_group() -> None:
    words = (
        "data.num_workers=3", "data.cache=device", "tracking.run_name=x", "report=none",
        "trainer.accelerator=cpu", "checkpoint.every_n_steps=5", "data.cache_max_gib=2",
        "evaluate_test=false", "tracking.uri=sqlite:///elsewhere.db",
    )  # fmt: skip
    runs = [a_run(seed / 10, word, f"seed={seed}") for seed, word in enumerate(words)]
    runs += [
        a_run(0.9, "data=manifest", "data.path=a.csv", "seed=1"),
        a_run(0.9, "data=manifest", "data.path=b.csv", "data.root=c", "data.allow_outside=true"),
    ]
    board = board_of(*runs)
    assert [len(group.runs) for group in board.groups] == [2, len(words)]
    assert board.unranked == ()


def test_the_form_of_augmentation_makes_a_group() -> None:
    batches = a_run(0.6, "augment.form=batches")
    board = board_of(a_run(0.5, "augment.form=images"), batches)
    assert board.columns == ("augment.form",)
    assert [group.config["augment.form"] for group in board.groups] == ["batches", "images"]


def test_runs_of_before_are_grouped_from_their_stored_config() -> None:
    stored = [
        older(0.5, rotated(0)), older(0.6, rotated(45)),
        older(0.7, rotated(45), "seed=1", "data.num_workers=2", "data.cache=none"),
        older(0.2, rotated(45), "seed=2", cache="device"),
        older(0.1, rotated(0), "trainer.devices=2"),
    ]  # fmt: skip
    assert not any(knows_its_group(run.params, run.tags) for run, _ in stored)
    board = board_of(*(with_stored_config(run, config) for run, config in stored))
    assert [len(group.runs) for group in board.groups] == [2, 1, 1, 1]
    assert set(board.columns) == {
        "augment.transforms.0.degrees", "augment.form", "trainer.world_size",
    }  # fmt: skip
    without = board_of(*(with_stored_config(run, None) for run, _ in stored))
    assert len(without.groups) == 3  # parameters alone do not tell the lists apart


def test_a_run_that_was_resumed_with_other_values_is_of_another_group() -> None:
    """Parameters in MLflow stay as they were logged first; the tag and the stored config do not."""
    config, _ = compose_job(["trainer.max_epochs=40"])
    before = a_run(0.5)
    values = config.model_dump(mode="json")
    digest = group_digest(influences(values, before.params))
    resumed = ComparedRun("longer", "longer", "FINISHED", before.params, {"val_best/accuracy": 0.6},
                          {"group.digest": digest})  # fmt: skip
    assert knows_its_group(before.params, before.tags)
    assert not knows_its_group(resumed.params, resumed.tags)
    board = board_of(before, with_stored_config(resumed, values))
    assert board.columns == ("trainer.max_epochs",)
    assert [group.config["trainer.max_epochs"] for group in board.groups] == ["40", "20"]


def test_columns_leave_out_what_others_tell() -> None:
    runs = [
        a_run(0.1, "augment=none"), a_run(0.2), a_run(0.3, "augment=strong", "optimizer=sgd"),
        a_run(0.4, "model=timm", "model.name=resnet18"),
        a_run(0.5, "model=timm", "model.name=resnet34", "trainer=cpu"),
    ]  # fmt: skip
    columns = board_of(*runs).columns
    assert columns[:2] == ("model", "augment")
    assert not {"model.name", "model.widths", "model._target_", "trainer"} & set(columns)
    assert not [name for name in columns if name.startswith("augment.")]
    assert {"optimizer", "optimizer.lr", "optimizer.weight_decay"} <= set(columns)
    assert "optimizer.momentum" not in columns


def test_a_class_without_a_name_of_its_own_is_shown() -> None:
    other = a_run(0.5, "optimizer._target_=torch.optim.Adam")
    board = board_of(a_run(0.4), other)
    assert board.columns == ("optimizer._target_",)
    assert board.groups[0].config == {"optimizer._target_": "Adam"}


def test_groups_without_a_difference_that_shows_have_their_digests() -> None:
    names, rows = config_columns([{"a": "1"}, {"a": "1"}], ["0" * 32, "1" * 32])
    assert names == ("group.digest",)
    assert rows == [{"group.digest": "0" * 8}, {"group.digest": "1" * 8}]


@pytest.mark.parametrize("missing", [True, False])
def test_a_partner_metric_of_other_samples_is_not_shown(missing: bool) -> None:
    """Ranked by test, which both share; beside it val, which is of other samples."""
    digests = [{"data.digest.val": "a"}, {} if missing else {"data.digest.val": "b"}]
    runs = [
        ComparedRun(str(n), str(n), "FINISHED", {"lr": str(n), "data.digest.test": "t"} | digest,
                    {"test/accuracy": 0.5, "val_best/accuracy": 0.5}, {})
        for n, digest in enumerate(digests)
    ]  # fmt: skip
    assert make_leaderboard(runs, "test/accuracy", maximise=True).partner is None
    same = make_leaderboard(runs[:1], "test/accuracy", maximise=True)
    assert same.partner == "val_best/accuracy"


def test_the_key_of_a_run_without_a_digest_is_one_of_its_parameters() -> None:
    run = ComparedRun("a", "a", "FINISHED", {"lr": "1", "seed": "3"}, {}, {})
    again = ComparedRun("b", "b", "FINISHED", {"lr": "1", "seed": "4"}, {}, {})
    assert group_key(run) == group_key(again)
