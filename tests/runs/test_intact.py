"""Files that a run keeps beside its journal: sealed, told apart from another run's, restored."""

from __future__ import annotations

import errno
import json
import logging
import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.commands import run_command
from sightline.config.compose import compose_job
from sightline.config.schema import Job, TrainConfig
from sightline.errors import DamagedError, UserError
from sightline.io.sealed import read_sealed, write_sealed
from sightline.io.sqlite import check_sqlite
from sightline.models.weight_file import read_weight_file
from sightline.predictions import Predictions
from sightline.runs.folder import RunFolder
from sightline.runs.intact import intact_file
from sightline.runs.journal.file import JournalWriter
from sightline.runs.journal.records import StatusRecord
from sightline.sweeps.slurm.submission import Submission, read_submissions, write_submissions
from sightline.sweeps.sweep import read_launch
from sightline.tracking.mlflow.errors import unanswered
from sightline.tracking.mlflow.tags import RUN_KEY
from sightline.tracking.tracker import Tracker
from sightline.training.checkpointing.files import AtomicCheckpointIO


@cache
def composed() -> tuple[TrainConfig, Job]:
    return compose_job([])


def begun(folder: Path) -> RunFolder:
    """A run that logged a little."""
    config, job = composed()
    run = RunFolder(folder)
    run.freeze(config, replace(job, output_dir=folder))
    assert run.frozen is not None
    tracker = Tracker(run)
    tracker.start(folder.name, {RUN_KEY: run.frozen.run_key})
    tracker.log_json({"metrics": {"val": {"loss": 0.5}}}, "results.json")
    tracker.finish("FINISHED")
    return run


def test_every_changed_byte_of_a_sealed_file_is_found(tmp_path: Path) -> None:
    path, facts = tmp_path / "facts.json", {"a": [1, 2.5, None], "ü": {"2": "x", "10": "y"}}
    write_sealed(path, facts)
    sound = path.read_bytes()
    assert read_sealed(path) == facts
    for place in range(len(sound)):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        with suppress(DamagedError):  # else it is a space, or the name of the digest
            assert read_sealed(path).items() >= facts.items()
    for length in range(len(sound)):
        path.write_bytes(sound[:length])
        with pytest.raises(DamagedError):
            read_sealed(path)
    path.write_text(json.dumps(facts))  # as such files were before they were sealed
    assert read_sealed(path) == facts


def test_one_bad_run_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("good", "empty", "binary", "owned", "lost", "no_config")
    for name in names:
        begun(tmp_path / name)
        (tmp_path / name / "checkpoints").mkdir()
    (tmp_path / "empty/run.json").write_text("")
    (tmp_path / "binary/run.json").write_bytes(b"\xff\xfe")
    (tmp_path / "owned/alive.json").write_text("{")
    journal = tmp_path / "owned/tracking/journal.jsonl"
    journal.write_bytes(journal.read_bytes().rpartition(b"\n")[0].rpartition(b"\n")[0] + b"\n")
    (tmp_path / "lost/tracking/journal.jsonl").unlink()
    (tmp_path / "no_config/run.json").unlink()
    assert run_command("runs", [str(tmp_path)]) == 0
    out = capsys.readouterr().out
    [good] = [line for line in out.splitlines() if line.endswith("good")]
    assert good.startswith("FINISHED")
    assert out.count("UNREADABLE") == len(names) - 1
    for name in ("empty/run.json", "binary/run.json", "lost/tracking/journal.jsonl",
                 "no_config/run.json", "owned/alive.json"):  # fmt: skip
        assert f"{tmp_path}/{name} is damaged" in out


def test_an_upload_position_of_another_run_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, other = begun(tmp_path / "run"), begun(tmp_path / "other")
    for each in (run, other):
        place = {"run_id": each.path.name, "experiment_id": "1", "uri": "sqlite:///x.db"}
        each.upload.write_position({"journal": 5, **place})
    assert run.upload.location is not None
    sent = run.upload.folder / "sent.json"
    own = sent.read_text()
    sent.write_text((other.upload.folder / "sent.json").read_text())
    assert RunFolder(run.path).upload.position() == {}
    assert f"{sent} is damaged: it is of another run" in caplog.text
    for text in (own.replace('"journal": 5', '"journal": 6'), own[:40], "", "[]"):
        sent.write_text(text)
        assert RunFolder(run.path).upload.position() == {}
    sent.write_text(own)
    run.upload.journal.write_bytes(run.upload.journal.read_bytes()[:-1])
    assert run.upload.position()["journal"] == 5
    run.upload.write_position({"journal": 10**6, "run_id": "x"})
    assert run.upload.position() == {"run_id": "x"}  # the journal lost its end


def test_damaged_results_are_reached_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = begun(tmp_path / "run")
    assert run.results() == {"metrics": {"val": {"loss": 0.5}}}
    path = run.path / "results.json"
    path.write_text(path.read_text().replace("0.5", "0.6"))
    assert run.results() is None
    assert f"{path} is damaged" in caplog.text


def test_a_damaged_file_is_replaced_by_a_copy_that_is_as_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = begun(tmp_path / "run")
    own, copy = run.path / "results.json", tmp_path / "copy.json"
    copy.write_bytes(own.read_bytes())
    assert intact_file(run, "results.json", lambda _: copy) == own
    own.write_text("{}")
    with caplog.at_level(logging.WARNING):
        assert intact_file(run, "results.json", lambda _: copy) == copy
    assert f"{own} is damaged" in caplog.text
    copy.write_text("{}")
    with pytest.raises(DamagedError, match=r"results\.json is damaged"):
        intact_file(run, "results.json", lambda _: copy)


def test_a_changed_byte_of_predictions_and_of_weights_is_found(tmp_path: Path) -> None:
    """Without the digest that the run's journal has, as in a copy."""
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(3), 500).astype(np.float32)
    ids = np.array([f"{i}.png" for i in range(500)])
    table = Predictions(ids, rng.integers(0, 3, 500), probs, ("a", "b", "c"), "multiclass")
    parquet, weights = tmp_path / "test.parquet", tmp_path / "best.ckpt"
    table.write(parquet)
    torch.save({"weights": torch.from_numpy(probs)}, weights)
    for path, read in ((parquet, Predictions.read), (weights, read_weight_file)):
        sound = path.read_bytes()
        for place in rng.integers(0, len(sound), 60):
            path.write_bytes(sound[:place] + bytes([sound[place] ^ 16]) + sound[place + 1 :])
            found = None
            with suppress(UserError):
                found = read(path)
            if found is None:
                continue
            values = found.probs if isinstance(found, Predictions) else found["weights"].numpy()
            np.testing.assert_array_equal(values, probs)


def test_the_record_of_a_launch_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    assert read_launch(tmp_path, "grid") is None
    for text in ("", "{", "[]", '{"kind": "grid"}'):
        path.write_text(text)
        with pytest.raises(DamagedError, match=r"sweep\.json is damaged"):
            read_launch(tmp_path, "grid")
    submissions = [Submission("name", 0, [0, 1], None)]
    write_submissions(tmp_path, submissions)
    assert read_submissions(tmp_path) == submissions
    slurm = tmp_path / "slurm.json"
    slurm.write_text(json.dumps([{"name": "name", "first": 0, "jobs": [0, 1], "id": None}]))
    assert read_submissions(tmp_path) == submissions  # as it was written before
    for text in ("", "[{}]", "[1]", '{"submissions": 1}'):
        slurm.write_text(text)
        with pytest.raises(DamagedError, match=r"slurm\.json is damaged"):
            read_submissions(tmp_path)


def test_a_sweep_that_lost_its_record_is_not_launched_anew(tmp_path: Path) -> None:
    config, job = composed()
    folder = RunFolder(tmp_path / "0")
    folder.freeze(config, replace(job, output_dir=folder.path, sweep="a sweep"))
    assert read_launch(tmp_path, "grid") is None  # it was killed before it counted as launched
    folder.last.parent.mkdir()
    folder.last.touch()
    with pytest.raises(DamagedError, match=r"sweep\.json is damaged: it is missing"):
        read_launch(tmp_path, "grid")


def test_a_locked_database_is_called_locked(tmp_path: Path) -> None:
    database = tmp_path / "optuna.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as holder:
        holder.execute("CREATE TABLE trials (number INTEGER, note TEXT)")
        holder.executemany("INSERT INTO trials VALUES (?, ?)", [(i, "x" * 99) for i in range(500)])
        check_sqlite(database)
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match=rf"optuna\.db is locked by process {os.getpid()} "):
            check_sqlite(database, patience_s=0)
        error = sqlite3.OperationalError("database is locked")
        message = str(unanswered(f"sqlite:///{database}", error))
        assert f"{database} is locked by process {os.getpid()}" in message
        holder.execute("COMMIT")
    sound = database.read_bytes()
    for content in (b"no database at all", sound[: len(sound) // 2], sound[:100] + sound[2000:]):
        database.write_bytes(content)
        with pytest.raises(DamagedError, match=r"optuna\.db is damaged"):
            check_sqlite(database)


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "when the disk has room"), (errno.EIO, "when it can be written")],
)
def test_room_is_spoken_of_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    journal = JournalWriter(tmp_path / "journal.jsonl")
    journal.append(StatusRecord(status="RUNNING"))
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match=f"{os.strerror(number)}.*{said}"):
        journal.append(StatusRecord(status="FAILED"), sync=True)
    with pytest.raises(UserError, match=f"{os.strerror(number)}.*{said}"):
        AtomicCheckpointIO(last_is_sound=True).save_checkpoint({}, tmp_path / "last.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["journal.jsonl"]
    journal.close()
