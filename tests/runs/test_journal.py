"""The journal: what a run told is on disk, whole, whatever happened to the process."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from sightline.errors import UserError
from sightline.runs.journal.file import JournalWriter, Record, read_journal
from sightline.tracking.mlflow.batches import MERGED, merge
from sightline.tracking.tracker import Tracker

RECORDS: list[Record] = [
    {"op": "metrics", "metrics": {"val/loss": 0.1 + 0.2, "train/loss": 1e-17}, "step": 0},
    {"op": "tags", "tags": {"mlflow.note.content": "Größe: 3×3\n| a | b |"}},
    {"op": "status", "status": "FINISHED"},
]


def fill(path: Path, records: list[Record] = RECORDS) -> None:
    journal = JournalWriter(path)
    for record in records:
        journal.append(record, sync=True)
    journal.close()


def read(path: Path) -> list[Record]:
    return [record for record, _ in read_journal(path)]


def test_what_is_written_is_read_exactly(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "journal.jsonl")
    assert read(tmp_path / "a" / "journal.jsonl") == RECORDS
    assert read(tmp_path / "nothing.jsonl") == []


def test_reading_goes_on_from_an_offset(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    fill(path)
    offsets = [offset for _, offset in read_journal(path)]
    assert [record for record, _ in read_journal(path, offsets[0])] == RECORDS[1:]
    assert list(read_journal(path, offsets[-1])) == []


def test_a_torn_last_record_loses_nothing_else(tmp_path: Path) -> None:
    """At every byte of the last record: what came before is there, what comes after is whole."""
    path = tmp_path / "journal.jsonl"
    fill(path)
    content = path.read_bytes()
    start = [offset for _, offset in read_journal(path)][-2]
    for end in range(start, len(content)):
        path.write_bytes(content[:end])
        assert read(path) == RECORDS[:-1]
        fill(path, [{"op": "status", "status": "KILLED"}])
        assert read(path) == [*RECORDS[:-1], {"op": "status", "status": "KILLED"}]


def test_a_damaged_record_is_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal.jsonl"
    fill(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = read(path)
    assert len(found) == 2
    assert all(record in RECORDS for record in found)
    assert str(path) in caplog.text
    assert "damaged" in caplog.text


def test_a_full_disk_is_an_error_and_leaves_the_journal_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    fill(path, RECORDS[:1])
    journal = JournalWriter(path)
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
    with pytest.raises(
        UserError, match=rf"Cannot write .*journal\.jsonl: {os.strerror(errno.ENOSPC)}"
    ):
        journal.append(RECORDS[1])
    monkeypatch.setattr(os, "write", write)
    assert path.read_bytes().endswith(b"\n")
    journal.append(RECORDS[2])
    assert read(path) == [RECORDS[0], RECORDS[2]]


def test_a_resumed_run_tells_nothing_twice(tmp_path: Path) -> None:
    for _ in range(2):  # the second process goes over the same epochs again
        tracker = Tracker(tmp_path)
        tracker.start("name", {"run_key": "1"})
        tracker.log_params({"lr": 0.1})
        for step in range(3):
            tracker.log_metrics({"val/loss": 1.0 - step / 10, "odd name @": 1.0}, step)
    tracker.log_params({"lr": 0.2, "more": "x" * 7000})
    tracker.log_metrics({"val/loss": float("nan"), "new": 2.0}, 3)
    told = read(tmp_path / "tracking" / "journal.jsonl")
    assert [record["op"] for record in told].count("run") == 1
    points = [
        (key, record["step"]) for record in told if record["op"] == "metrics"
        for key in record["metrics"]
    ]  # fmt: skip
    assert sorted(points) == [
        *(("new", step) for step in [3]),
        *(("odd name _", step) for step in range(3)),
        *(("val/loss", step) for step in range(3)),
    ]
    params = {
        k: v for record in told if record["op"] == "params" for k, v in record["params"].items()
    }
    assert params["lr"] == "0.1"
    assert len(params["more"]) == 6000
    assert params["more"].endswith("[…]")


def test_records_travel_together_within_the_limits_of_mlflow() -> None:
    thirty = {f"m{i}": 1.0 for i in range(30)}
    records: list[Record] = [
        {"op": "run", "name": "a", "tags": {}},
        *({"op": "metrics", "metrics": thirty, "step": step} for step in range(70)),
        {"op": "params", "params": {f"p{i}": "1" for i in range(60)}},
        {"op": "params", "params": {f"q{i}": "1" for i in range(60)}},
        {"op": "artifact", "path": "a.txt"},
        {"op": "tags", "tags": {"a": "b"}},
    ]
    groups = list(merge((record, i) for i, record in enumerate(records)))
    assert [record for group, _ in groups for record in group] == records
    assert [end for _, end in groups][-1] == len(records) - 1
    for group, _ in groups:
        for op, limit in MERGED.items():
            assert sum(len(record[op]) for record in group if record["op"] == op) <= limit
    assert len(groups) == 1 + 3 + 1 + 1 + 1


def test_the_journal_is_plain_text_that_a_person_can_read(tmp_path: Path) -> None:
    fill(tmp_path / "journal.jsonl")
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line.partition(" ")[2]) for line in lines] == RECORDS
