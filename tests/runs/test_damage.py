"""Damage to each file of a run: a command works as if there was none, or names the file.

A command that reads a file of its run is right only where the file is as the run wrote it: cut,
empty, changed in a byte, gone, or of another run, it is found before anything is spent on it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from mlflow import MlflowClient
from support.damage import (
    COMMANDS,
    TINY,
    Case,
    damaged,
    damages,
    files_of,
    make_runs,
    quick,
    result,
    verdict,
)
from support.differences import checkpoint_differences, histories
from support.stores import copy_store

from sightline.commands import run_command
from sightline.errors import UserError
from sightline.runs.folder import RunFolder
from sightline.runs.place import record_place
from sightline.tracking.mlflow.tags import RUN_KEY
from sightline.training.job import run_frozen

PARTS = 6  # of the files, in the soak
# The files that each command reads; the soak damages all.
pytestmark = pytest.mark.xdist_group("damage")  # one process makes the runs for all
READ = {
    "resume": ("run.json", "results.json", "journal.jsonl", "best.ckpt", "last.ckpt"),
    "runs": ("run.json", "journal.jsonl"),
    "evaluate": ("best.ckpt", "val.parquet"),
    "predict": ("best.ckpt", "journal.jsonl"),
    "compare": ("val.parquet", "config.yaml", "journal.jsonl"),
    "reproduce": ("config.yaml", "overrides.yaml", "environment.json"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> dict[str, Case]:
    work = tmp_path_factory.mktemp("damage")
    copy_store(empty_store, work / "mlflow.db")
    return make_runs(work)


Printed = Callable[[], str]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Printed:
    """What was printed and logged since the last call."""

    def read() -> str:
        found = "".join(capsys.readouterr()) + caplog.text
        caplog.clear()
        return found

    return read


def harmful(
    case: Case, command: str, files: Sequence[str], cuts: Sequence[int], printed: Printed
) -> list[str]:
    """The damages that a command does not notice, or does not name."""
    intact = damaged(case, files[0], lambda content, _: content + b" ") or case.folder
    (intact / files[0]).write_bytes((case.folder / files[0]).read_bytes())
    expected = result(command, intact, case)
    assert not isinstance(expected, UserError), expected
    found = []
    for file in files:
        for name, damage in damages(cuts).items():
            folder = damaged(case, file, damage)
            if folder is None:
                continue
            printed()
            reached = result(command, folder, case)
            if reached == "begins" and expected is None and is_restored(case, folder):
                reached = expected
            if not verdict(file, reached, expected, printed()):
                found.append(f"{file}, {name}: {reached!r}")
    return found


def is_restored(case: Case, folder: Path) -> bool:
    """Whether a finished run that resumes, as after a kill near its end, ends as it had."""
    with quick(case.work, train=True):
        run_frozen(folder, [])
    same = histories(folder) == histories(case.folder)
    return same and not list(checkpoint_differences(folder, case.folder))


@pytest.mark.parametrize("command", READ)
def test_damage_is_named_or_does_no_harm(
    runs: dict[str, Case], command: str, printed: Printed
) -> None:
    case = runs["finished"]
    files = [file for file in files_of(case.folder) if Path(file).name in READ[command]]
    assert {Path(file).name for file in files} >= set(READ[command])
    assert harmful(case, command, files, [5], printed) == []


def test_damage_to_an_interrupted_run_is_found_before_it_trains(
    runs: dict[str, Case], printed: Printed
) -> None:
    case = runs["interrupted"]
    files = [file for file in files_of(case.folder) if file.endswith((".ckpt", ".json", ".jsonl"))]
    assert harmful(case, "resume", files, [5], printed) == []


def test_a_damaged_file_is_not_uploaded(runs: dict[str, Case], printed: Printed) -> None:
    case = runs["finished"]
    every = damages([])
    for damage, named in (("missing", "it is missing"), ("another run's", "it is of another run")):
        folder = damaged(case, "tracking/journal.jsonl", every[damage])
        assert folder is not None
        assert result("sync", folder, case) == 1
        assert f"tracking/journal.jsonl is damaged: {named}" in printed()
    folder = damaged(case, "predictions/test.parquet", every["flipped"])
    assert folder is not None
    with (folder / "checkpoints/last.ckpt").open("r+b") as stream:
        stream.truncate(1000)
    assert result("sync", folder, case) == 1
    out = printed()
    assert "MLflow refuses 2 records" in out
    refused = (folder / "tracking/refused.jsonl").read_text()
    assert "predictions/test.parquet is damaged" in refused
    assert "checkpoints/last.ckpt is damaged" in refused
    location = RunFolder(folder).upload.location
    assert location is not None
    client = MlflowClient(location.uri)
    stored = {item.path for item in client.list_artifacts(location.run_id, "predictions")}
    assert stored == {"predictions/val.parquet"}


def test_a_run_without_its_run_file_is_not_resumed(runs: dict[str, Case]) -> None:
    case = runs["interrupted"]
    folder = damaged(case, "run.json", lambda *_: None)
    words = [*TINY, f"data.root={case.work}/images", f"hydra.run.dir={folder}"]
    missing = pytest.raises(
        UserError, match=r"run\.json is damaged: it is missing, and .*best\.ckpt"
    )
    with missing, quick(case.work, train=False):
        run_command("train", words)
    assert folder is not None
    assert (folder / "checkpoints/last.ckpt").is_file()


def test_without_its_checkpoints_a_run_begins_again_and_ends_as_it_would_have(
    runs: dict[str, Case], printed: Printed
) -> None:
    """What the message about a damaged best checkpoint advises."""
    case = runs["interrupted"]
    folder = damaged(case, "checkpoints/best.ckpt", lambda *_: b"")
    assert folder is not None
    assert "or remove" in str(result("resume", folder, case))
    shutil.rmtree(folder / "checkpoints")
    with quick(case.work, train=True):
        run_frozen(folder, [])
    whole = runs["finished"].folder
    assert not list(checkpoint_differences(folder, whole))
    assert histories(folder) == histories(whole)


def test_a_copy_without_its_tracking_becomes_a_run_of_its_own(
    runs: dict[str, Case], printed: Printed
) -> None:
    """What the message about a copy advises."""
    case = runs["interrupted"]
    copy = case.work / "copy"
    shutil.copytree(case.folder, copy)
    record_place(case.folder, case.folder / "tracking")
    (copy / "tracking/place.json").write_bytes((case.folder / "tracking/place.json").read_bytes())
    refused = str(result("resume", copy, case))
    assert f"is a copy of {case.folder}" in refused
    assert f"remove {copy / 'tracking'}" in refused
    shutil.rmtree(copy / "tracking")
    before = (case.folder / "tracking/journal.jsonl").read_bytes()
    with quick(case.work, train=True):
        run_frozen(copy, [])
    own, original = RunFolder(copy), RunFolder(case.folder)
    assert own.status == "FINISHED"
    assert own.frozen is not None
    assert own.state.tags[RUN_KEY] == own.frozen.run_key != original.state.tags[RUN_KEY]
    assert own.upload.location is None
    assert (case.folder / "tracking/journal.jsonl").read_bytes() == before
    assert not list(checkpoint_differences(copy, runs["finished"].folder))


@pytest.mark.soak
@pytest.mark.parametrize("state", ["finished", "interrupted"])
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("part", range(PARTS))
def test_damage_to_any_file_of_a_run(
    runs: dict[str, Case], state: str, command: str, part: int, printed: Printed
) -> None:
    """In parts, of which each takes minutes and can be run alone."""
    case = runs[state]
    if state == "interrupted" and command not in ("resume", "runs"):
        pytest.skip("an unfinished run is refused whatever its files hold")
    files = files_of(case.folder)[part::PARTS]
    assert harmful(case, command, files, range(1, 11), printed) == []
