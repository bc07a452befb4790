"""The summary of one run on a page of the terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console
from support.commands import Sightline
from support.runs import Trained

from sightline.comparison.run_summary import BARS, changed_values, sparkline, summary
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow.stored_run import find_stored_run


def test_a_curve_runs_from_the_least_to_the_greatest_value() -> None:
    assert sparkline([float(i) for i in range(8)]) == BARS
    assert sparkline([3.0, 3.0]) == BARS[0] * 2
    assert sparkline([0.0, 1.0, 0.5]) == "▁█▅"
    assert sparkline([0.0, float("nan"), float("inf"), 1.0]) == "▁××█"
    assert sparkline([float("inf")]) == "×"
    assert len(sparkline([float(i) for i in range(1001)])) <= 40


def test_changed_values_are_those_that_were_given(trained: Callable[[str], Trained]) -> None:
    run = trained("multiclass")
    frozen = RunFolder(run.folder).frozen
    assert frozen is not None
    shown = {str(row[0]) for row in changed_values(frozen).rows}
    given = {word.partition("=")[0] for word in frozen.job.overrides}
    assert shown <= given | set(frozen.job.choices)
    assert "trainer.max_epochs" in shown
    assert not any(key.startswith(("tracking.", "report.", "seed")) for key in shown)


def test_a_name_is_shown_as_it_is(trained: Callable[[str], Trained]) -> None:
    run = trained("binary")
    stored = replace(find_stored_run(str(run.folder), run.store), name="[/bold] [red]mine")
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(summary(stored))
    assert "[/bold] [red]mine" in console.export_text()


@pytest.mark.parametrize("mode", ["binary", "multiclass", "multilabel"])
def test_a_run_fits_on_a_page_of_80_columns(trained: Callable[[str], Trained], mode: str) -> None:
    run = trained(mode)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(summary(find_stored_run(str(run.folder), run.store)))
    text = console.export_text()
    assert all(len(line) <= 80 for line in text.splitlines())
    found = json.loads((run.folder / "results.json").read_text())["metrics"]["test"]["accuracy"]
    for part in (f"{found:.4f}", "FINISHED", run.run_id, "val/loss", "best.ckpt", "f1"):
        assert part in text, part


def test_a_name_is_needed_and_has_to_exist(
    sightline: Sightline, trained: Callable[[str], Trained]
) -> None:
    assert "Give a run: `sightline show latest`" in sightline("show", tracked=False).err
    missing = sightline("show", "nowhere", f"tracking.uri={trained('binary').store}", tracked=False)
    assert "no such folder or file" in missing.err
