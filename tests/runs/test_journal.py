"""The journal: complete on disk, whatever happened to the process."""

from __future__ import annotations

import errno
import json
import os
import zlib
from pathlib import Path

import pytest

from sightline.errors import UserError
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import HEADER, JournalWriter, read_journal
from sightline.runs.journal.records import (
    ArtifactRecord,
    MetricsRecord,
    ModelRecord,
    ParamsRecord,
    Record,
    RunRecord,
    StatusRecord,
    TagsRecord,
)
from sightline.runs.journal.state import JournalReader, RunState
from sightline.tracking.mlflow.batches import MAX_ENTRIES, merge
from sightline.tracking.tracker import Tracker

RECORDS: list[Record] = [
    MetricsRecord(metrics={"val/loss": 0.1 + 0.2, "train/loss": 1e-17}, step=0),
    TagsRecord(tags={"mlflow.note.content": "Größe: 3×3\n| a | b |"}),
    StatusRecord(status="FINISHED"),
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
        killed = StatusRecord(status="KILLED")
        fill(path, [killed])
        assert read(path) == [*RECORDS[:-1], killed]


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
        tracker = Tracker(RunFolder(tmp_path))
        tracker.start("name", {"run_key": "1"})
        tracker.log_params({"lr": 0.1})
        for step in range(3):
            tracker.log_metrics({"val/loss": 1.0 - step / 10, "odd name @": 1.0}, step)
    tracker.log_params({"lr": 0.2, "more": "x" * 7000})
    tracker.log_metrics({"val/loss": float("nan"), "new": 2.0}, 3)
    records = read(tmp_path / "tracking" / "journal.jsonl")
    assert [record.op for record in records].count("run") == 1
    points = [
        (key, record.step) for record in records if isinstance(record, MetricsRecord)
        for key in record.metrics
    ]  # fmt: skip
    assert sorted(points) == [
        *(("new", step) for step in [3]),
        *(("odd name _", step) for step in range(3)),
        *(("val/loss", step) for step in range(3)),
    ]
    params = JournalReader(tmp_path / "tracking" / "journal.jsonl").state().params
    assert params["lr"] == "0.1"
    assert len(params["more"]) == 6000
    assert params["more"].endswith("[…]")


def test_records_travel_together_within_the_limits_of_mlflow() -> None:
    thirty = {f"m{i}": 1.0 for i in range(30)}
    records: list[Record] = [
        RunRecord(name="a", tags={}),
        *(MetricsRecord(metrics=thirty, step=step) for step in range(70)),
        ParamsRecord(params={f"p{i}": "1" for i in range(60)}),
        ParamsRecord(params={f"q{i}": "1" for i in range(60)}),
        ArtifactRecord(path="a.txt"),
        TagsRecord(tags={"a": "b"}),
    ]
    groups = list(merge((record, i) for i, record in enumerate(records)))
    assert [record for group, _ in groups for record in group] == records
    assert [end for _, end in groups][-1] == len(records) - 1
    for group, _ in groups:
        for op, limit in MAX_ENTRIES.items():
            assert sum(len(record.to_json()[op]) for record in group if record.op == op) <= limit
    assert len(groups) == 1 + 3 + 1 + 1 + 1


def test_the_journal_is_plain_text_that_a_person_can_read(tmp_path: Path) -> None:
    fill(tmp_path / "journal.jsonl")
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    stored = [json.loads(line.partition(" ")[2]) for line in lines]
    assert stored == [HEADER, *(record.to_json() for record in RECORDS)]


def line_of(stored: dict[str, object]) -> bytes:
    text = json.dumps(stored).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def test_a_journal_without_a_version_is_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(line_of(record.to_json()) for record in RECORDS))
    assert read(path) == RECORDS
    fill(path, RECORDS[:1])  # appends to it as it is
    assert read(path) == [*RECORDS, RECORDS[0]]


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"op": "journal", "version": 7}, r"journal of version 7; .* reads version 1"),
        ({"op": "telepathy", "time_ms": 0}, r"ends at byte \d+ has the operation 'telepathy'"),
        ({"op": "status", "status": "RUNNING", "mood": 1, "time_ms": 0}, "the field 'mood'"),
        ({"op": "metrics", "metrics": {"a": "high"}, "step": 0, "time_ms": 0}, r"metrics\.a of"),
    ],
)
def test_a_record_of_another_version_is_one_message(
    tmp_path: Path, stored: dict[str, object], message: str
) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(line_of(stored))
    with pytest.raises(UserError, match=message) as refused:
        read(path)
    assert str(path) in str(refused.value)
    assert "Use the Sightline that wrote it" in str(refused.value)


def test_stored_names_stay_as_they_were(tmp_path: Path) -> None:
    model = ModelRecord(
        checkpoint="a.ckpt", class_names=["a"], multi_label=True, plugins=[], epoch=3
    )
    assert model.to_json()["several_labels"] is True
    fill(tmp_path / "journal.jsonl", [model])
    assert read(tmp_path / "journal.jsonl") == [model]


def test_a_second_look_reads_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    fill(path)
    reader = JournalReader(path)
    assert reader.state().status == "FINISHED"
    read_records: list[str] = []
    apply = RunState.apply
    monkeypatch.setattr(
        RunState,
        "apply",
        lambda self, record: read_records.append(record.op) or apply(self, record),
    )
    assert reader.state().metrics == {"val/loss": 0.1 + 0.2, "train/loss": 1e-17}
    assert read_records == []
    fill(path, [StatusRecord(status="KILLED")])
    assert reader.state().status == "KILLED"
    assert read_records == ["status"]
    path.write_bytes(path.read_bytes()[:100])  # the journal lost its end to a power cut
    assert reader.state().status is None
