"""Groups in a sweep's summary: those that `sightline compare` makes."""

from __future__ import annotations

from pathlib import Path

from sightline.config.compose import compose_job
from sightline.sweeps.groups import group_rows, replicates
from sightline.sweeps.sweep import SweepJob, open_job


def test_jobs_are_grouped_by_what_influences_them(tmp_path: Path) -> None:
    words = [
        ["seed=0", "data.num_workers=0", "optimizer.lr=0.1"],
        ["seed=1", "data.num_workers=0", "optimizer.lr=0.1"],
        ["seed=1", "data.num_workers=2", "optimizer.lr=0.1"],  # the same seed again
        ["seed=0", "data.num_workers=0", "optimizer.lr=0.2"],
    ]
    jobs: list[SweepJob] = [
        open_job(*compose_job([*each, f"hydra.run.dir={tmp_path}/{number}"]))
        for number, each in enumerate(words)
    ]
    rows = [
        {"job": number, "loss": value, **dict(word.split("=") for word in words[number])}
        for number, value in enumerate([1.0, 2.0, 9.0, 4.0])
    ]
    found = group_rows(replicates(rows, jobs), list(rows[0])[2:], "loss")
    assert [(row["optimizer.lr"], row["runs"], row["loss mean"]) for row in found] == [
        ("0.1", 2, 1.5), ("0.2", 1, 4.0),
    ]  # fmt: skip
    assert not {"seed", "data.num_workers", "group.digest"} & set(found[0])
