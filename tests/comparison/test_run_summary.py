"""The summary of one run on a page of the terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from rich.console import Console
from support.commands import Sightline
from support.runs import Trained

from sightline.comparison.run_summary import (
    BARS,
    _files,
    changed_values,
    sparkline,
    summary,
)
from sightline.reports.class_table import worst_classes
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow.stored_run import find_stored_run
from sightline.training.logging.announce import announce


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


def test_a_file_that_was_logged_and_is_gone_is_called_missing(
    trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    run = trained("binary")
    copytree(run.folder, folder := tmp_path / "run")
    for name in ("predictions/val.parquet", "run.json"):
        (folder / name).unlink()
    for path, lacking in ((run.folder, []), (folder, ["predictions/val.parquet, run.json"])):
        rows = dict(_files(RunFolder(path)).rows)
        assert [rows[key] for key in rows if key == "(missing)"] == lacking


def test_a_name_is_needed_and_has_to_exist(
    sightline: Sightline, trained: Callable[[str], Trained]
) -> None:
    assert "Give a run: `sightline show latest`" in sightline("show", tracked=False).err
    missing = sightline("show", "nowhere", f"tracking.uri={trained('binary').store}", tracked=False)
    assert "no such folder or file" in missing.err


@pytest.mark.parametrize("rule", ["default", "tuned"])
def test_the_last_lines_of_a_training_are_of_its_decision_rule(
    trained: Callable[[str], Trained], rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained("binary")
    results = json.loads((run.folder / "results.json").read_text())
    values = results["metrics"]["test"]
    values |= {"accuracy": 0.1234, "accuracy_tuned": 0.4321}
    results["tuning"]["rule"] = rule
    announce(RunFolder(run.folder), results, with_links=True)
    shown = capsys.readouterr().out
    assert ("0.1234" in shown, "0.4321" in shown) == (rule == "default", rule == "tuned")
    assert ("accuracy_tuned" in shown) == (rule == "tuned")


def test_the_worst_classes_are_of_the_decision_rule(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text(
        "class,support,precision,recall,f1,precision_tuned,recall_tuned,f1_tuned\n"
        "neg,70,0.667,1,0.8,0.9,0.8,0.85\npos,35,0,0,0,0.6,0.5,0.545\n"
    )
    default, tuned = (worst_classes(path, "test", rule) for rule in ("default", "tuned"))
    assert default is not None
    assert tuned is not None
    assert default.rows[0] == ["pos", "35", "0", "0", "0"]
    assert tuned.rows[0] == ["pos", "35", "0.600", "0.500", "0.545"]
    assert (default.caption, tuned.caption) == (
        "Classes, test, default rule", "Classes, test, tuned thresholds",
    )  # fmt: skip
