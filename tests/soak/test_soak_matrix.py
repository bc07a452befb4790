"""The soak: each row of the matrix meets a fault at a random moment, and ends as if it had not.

`SOAK_SEED=N` repeats what a run drew; `SOAK_FAULTS=killed,server` chooses among the faults, of
which each row otherwise meets one that is drawn; `-k "scheduler or mix"` chooses rows. One row of
many settings meets every fault.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import finish, start
from support.differences import run_differences
from support.soak_faults import FAULTS
from support.soak_rows import FULL, Row, make_data, rows
from support.soak_trial import Trial
from support.stores import copy_store

pytestmark = pytest.mark.soak
SEED = int(os.environ.get("SOAK_SEED", time.time()))
CHOSEN = [each for each in os.environ.get("SOAK_FAULTS", "").split(",") if each]


@pytest.fixture(scope="module")
def table() -> Iterator[list[tuple[str, str, str]]]:
    """Row, fault and result; printed at the end."""
    found: list[tuple[str, str, str]] = []
    yield found
    print(f"\nsoak, seed {SEED}: {len(found)} runs")
    widths = [max(len(line[column]) for line in found) for column in (0, 1)] if found else [0, 0]
    for name, fault, result in found:
        print(f"{name:{widths[0]}}  {fault:{widths[1]}}  {result}", flush=True)


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row.name)
def test_a_row_ends_as_it_would_have(
    row: Row, tmp_path: Path, empty_store: Path, table: list[tuple[str, str, str]]
) -> None:
    _interrupt(row, CHOSEN, tmp_path, empty_store, table)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_full_config_ends_so_after_every_fault(
    fault: str, tmp_path: Path, empty_store: Path, table: list[tuple[str, str, str]]
) -> None:
    _interrupt(FULL, [fault], tmp_path, empty_store, table)


def _interrupt(
    row: Row, faults: list[str], tmp_path: Path, empty_store: Path,
    table: list[tuple[str, str, str]],
) -> None:  # fmt: skip
    rng = random.Random(f"{SEED} {row.name} {faults}")
    (tmp_path / "pyproject.toml").touch()
    copy_store(empty_store, tmp_path / "mlflow.db")
    make_data(tmp_path, row)
    whole, words = tmp_path / "whole", ["train", *row.words]
    began_s = time.monotonic()
    code, _, err = finish(start(tmp_path, *words, f"hydra.run.dir={whole}"), timeout_s=1200)
    if code == 1 and err.startswith("Error: "):
        table.append((row.name, "", f"not run: {err.splitlines()[0][:150]}"))
        pytest.skip(err)
    assert code == 0, err
    duration_s = time.monotonic() - began_s
    for name in faults or [rng.choice(list(FAULTS))]:
        trial = Trial(tmp_path, tmp_path / name.replace(" ", "_"), list(words), duration_s, rng)
        result = _result(trial, name, whole)
        table.append((row.name, name, f"{result};{trial.done}"))
        print(*table[-1], sep=" | ", flush=True)  # long before the table
        assert result == "identical", f"seed {SEED}: {trial.done} {result}"


def _result(trial: Trial, fault: str, whole: Path) -> str:
    try:
        FAULTS[fault](trial)
        code, _, err = finish(trial.start(), timeout_s=1200)
        if code:
            return f"status {code}: {err}"
    except AssertionError as error:
        return f"{fault}: {error}"
    return "; ".join(run_differences(trial.root, whole, trial.folder)[:5]) or "identical"
