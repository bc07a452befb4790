"""Trials of a storage in which a byte changed: found by comparing them with their runs."""

from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from sightline.errors import UserError
from sightline.sweeps.search.grammar import read_spaces
from sightline.sweeps.search.recalled import check_recalled, read_trials
from sightline.sweeps.search.spaces import sample_overrides

RATE, LOSS = 0.0123, 0.789


@pytest.fixture
def found(tmp_path: Path) -> tuple[Path, Any, Any]:
    """A database with one completed trial, its search and its run."""
    words = ["optimizer.lr=tag(log,interval(1e-4,1e-1))", "model=choice(cnn,timm)", "seed=3"]
    fixed, spaces = read_spaces(OverridesParser.create().parse_overrides(words))
    database = tmp_path / "optuna.db"
    study = optuna.create_study(storage=f"sqlite:///{database}", study_name="s")
    study.enqueue_trial({"optimizer.lr": RATE, "model": "cnn"})
    trial = study.ask()
    given = sample_overrides(trial, spaces, fixed)
    study.tell(trial, LOSS)
    sweep = SimpleNamespace(objectives=[("val_best/loss", False)])
    search = SimpleNamespace(
        spaces=spaces, fixed=fixed, sweep=sweep, storage=f"sqlite:///{database}"
    )
    folder = SimpleNamespace(results=lambda: {"metrics": {"val": {"loss": LOSS}}})
    job = SimpleNamespace(job=SimpleNamespace(overrides=[*fixed, *given]), folder=folder)
    return database, search, job


def check(found: tuple[Path, Any, Any]) -> None:
    database, search, job = found
    study = optuna.load_study(storage=f"sqlite:///{database}", study_name="s")
    [trial] = read_trials(study, search)
    check_recalled(trial, job, search)


@pytest.mark.parametrize(
    ("stored", "at", "said"),
    [
        (struct.pack(">d", LOSS), 3, "its val_best/loss is .*, but its run reached 0.789"),
        (struct.pack(">d", RATE), 2, r"it has optimizer.lr=.*, but what ran is .*lr=0.0123"),
        (b"COMPLETE", 3, "its trials cannot be read"),
        (b'"choices": ["cnn"', 14, "cannot be read|not of this search"),
    ],
)
def test_a_changed_byte_is_found(
    found: tuple[Path, Any, Any], stored: bytes, at: int, said: str
) -> None:
    check(found)
    database = found[0]
    content = bytearray(database.read_bytes())
    place = content.rindex(stored)
    content[place + at] ^= 1
    database.write_bytes(content)
    with pytest.raises(UserError, match=rf"optuna\.db is damaged.*({said})"):
        check(found)
