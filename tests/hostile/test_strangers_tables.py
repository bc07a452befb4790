"""A stranger's tables and checkpoints in ensembles: what no run writes is refused and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.random_tables import make_mode, random_table

from sightline.errors import DamagedError, UserError
from sightline.evaluation.ensemble_members import Member, _check_alike
from sightline.inference.identity import Identity
from sightline.predictions import Predictions
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.types import MISSING

SOUND = random_table(make_mode("multiclass"), 20)


def with_first(name: str, value: float) -> Predictions:
    """The sound table with another value in its first row."""
    column = getattr(SOUND, name).copy()
    column[0] = value
    return replace(SOUND, **{name: column})


@pytest.mark.parametrize(("table", "message"), [
    (with_first("probs", np.nan), "not from 0 to 1"),
    (with_first("probs", 1.5), "not from 0 to 1"),
    (with_first("probs", -0.1), "not from 0 to 1"),
    (with_first("targets", 5), "of no class"),
    (with_first("targets", -2), "of no class"),
    (replace(SOUND, label_mode=3), "no names"),  # type: ignore[arg-type]
])  # fmt: skip
def test_a_table_whose_numbers_no_run_writes(
    tmp_path: Path, table: Predictions, message: str
) -> None:
    table.write(path := tmp_path / "val.parquet")
    with pytest.raises(DamagedError, match=message) as refused:
        Predictions.read(path)
    assert str(path) in str(refused.value)


def test_what_runs_write_is_read(tmp_path: Path) -> None:
    """Means of probabilities are not exact, and labels that nobody knows are none."""
    several = random_table(make_mode("multilabel"), 20)
    several.targets[0, 0] = MISSING
    for table in (SOUND, with_first("probs", 1 + 1e-6), several):
        table.write(path := tmp_path / "val.parquet")
        np.testing.assert_array_equal(Predictions.read(path).targets, table.targets)


def identity(**changed: Any) -> Identity:
    config = {"label_mode": {"_target_": "x.Multiclass"}, "model": {}, "data": {}, "trainer": {},
              "monitor": "val/loss"}  # fmt: skip
    values: dict[str, Any] = {"version": "0.1.0", "class_names": list(SOUND.class_names),
                              "preprocess": {"img_size": 8}, "config": config}  # fmt: skip
    return Identity.model_validate(values | changed)


def member(folder: Path, **changed: Any) -> Member:
    run = StoredRun(
        folder.name, "", "1", RunFolder(folder), folder.name, "FINISHED", {}, {}, {},
        f"file://{folder}-nowhere",
    )  # fmt: skip
    return Member(run, folder / "best.ckpt", identity(**changed))


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(path.read_bytes()[:200]),
    lambda path: path.write_bytes(b""),
    lambda path: replace(SOUND, class_names=tuple("vwxyz")).write(path),
])  # fmt: skip
def test_damage_to_a_members_table_is_not_a_split_that_it_lacks(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    one = member(tmp_path)
    assert one.table("val") is None
    SOUND.write(path := tmp_path / "predictions/val.parquet")
    assert one.table("val") is not None
    damage(path)
    with pytest.raises(DamagedError, match=str(path)):
        one.table("val")


def test_preprocessing_that_one_member_alone_names_differs(tmp_path: Path) -> None:
    pair = [member(tmp_path / "a"), member(tmp_path / "b", preprocess={"x": [1]})]
    for members in (pair, pair[::-1]):
        with pytest.raises(UserError, match=r"the preprocessing's (x|img_size) of .* differ"):
            _check_alike(members)
