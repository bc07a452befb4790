"""The table of a sweep: what a second look reads from the jobs' journals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.config.compose import compose_job
from sightline.runs.journal import state
from sightline.runs.journal.records import Record
from sightline.sweeps.sweep import SweepJob, open_job
from sightline.sweeps.table import job_row
from sightline.tracking.tracker import Tracker

read_journal = state.read_journal


@pytest.fixture
def records_read(monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """The records that were read from journals, in their order."""
    found: list[Record] = []

    def read(path: Path, offset: int = 0) -> Iterator[tuple[Record, int]]:
        for record, end in read_journal(path, offset):
            found.append(record)
            yield record, end

    monkeypatch.setattr(state, "read_journal", read)
    return found


def test_a_second_look_reads_only_new_records(tmp_path: Path, records_read: list[Record]) -> None:
    jobs: list[SweepJob] = []
    trackers = []
    for number in range(3):
        jobs.append(
            open_job(*compose_job([f"seed={number}", f"hydra.run.dir={tmp_path}/{number}"]))
        )
        tracker = Tracker(jobs[-1].folder)
        tracker.start(str(number), {})
        tracker.log_metrics({"val/loss": 1.0}, step=0)
        trackers.append(tracker)

    def look() -> int:
        """Make the table; the number of records that this read."""
        records_read.clear()
        rows = [job_row(n, each, ["seed"], ["val/loss"], None, None) for n, each in enumerate(jobs)]
        assert [row["status"] for row in rows] == ["INTERRUPTED"] * 3
        return len(records_read)

    assert look() >= 6
    assert look() == 0
    trackers[1].log_metrics({"val/loss": 0.5}, step=1)
    assert look() == 1
    assert jobs[1].folder.state.metrics == {"val/loss": 0.5}
    assert look() == 0
