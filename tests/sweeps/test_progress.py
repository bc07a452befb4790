"""The progress of a sweep: its jobs as their journals are, drawn in a terminal alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from sightline.config.compose import compose_job
from sightline.config.schema import TrackingConfig
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import JournalWriter
from sightline.runs.journal.records import MetricsRecord, RunRecord
from sightline.sweeps.process import Running
from sightline.sweeps.progress import SweepProgress, shown
from sightline.sweeps.slots import make_slots
from sightline.sweeps.sweep import Sweep, SweepJob


def make_sweep(folder: Path, widths: tuple[int, ...]) -> Sweep:
    jobs = []
    for number, width in enumerate(widths):
        words = [f"model.hidden={width}", f"hydra.run.dir={folder / str(number)}"]
        config, job = compose_job([*words, "trainer.max_epochs=10"])
        jobs.append(SweepJob(config, job, RunFolder(job.output_dir)))
    tracking: TrackingConfig = jobs[0].config.tracking
    return Sweep(RunFolder(folder), "hidden", "", jobs, True, None, tracking)


def test_jobs_are_shown_with_epoch_and_values(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, (8, 32))
    running = []
    [slot] = make_slots(1, [sweep.jobs[0].config])
    for number, each in enumerate(sweep.jobs):
        each.folder.freeze(each.config, each.job)
        journal = JournalWriter(each.folder.path / "tracking" / "journal.jsonl")
        journal.append(RunRecord(name="x", tags={}))
        for epoch in range(5 * number):
            journal.append(MetricsRecord(metrics={"val/loss": 0.5, "train/loss": 1.0}, step=epoch))
        journal.close()
        running.append(Running(number, each, slot, 1, None, 0))
    console = Console(width=100, force_terminal=True, record=True)
    with Live(console=console, auto_refresh=False) as live:
        SweepProgress(sweep, live).update(running)
    lines = re.split(r"(?=job)|\n", console.export_text())  # the first line has codes before it
    first, second = (
        next(line for line in lines if line.startswith(f"job {number}")) for number in (0, 1)
    )
    assert "hidden=8" in first
    assert "epoch 0/10" in first
    assert "hidden=32" in second
    assert second.count("━") == 10  # half of the bar
    assert "epoch 5/10  train/loss 1.0000  val/loss 0.5000" in second
    assert "0 of 2 " in " ".join(lines)


def test_a_pipe_gets_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = make_sweep(tmp_path, (8,))
    with shown(sweep) as progress:
        progress.update([])
    assert capsys.readouterr().out == ""
