"""A report section that a plugin package brings: one module and one YAML file, nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import QUICK, Sightline

PACKAGE = "plugin_with_a_section"
MODULE = """
import numpy as np
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Section, Table
from sightline.reports.section_inputs import ReadImage

def brightness_report(evaluated: EvaluatedSplit, read_image: ReadImage, count: int) -> Section:
    names = evaluated.table.ids[:count].tolist()
    rows = [(name, float(np.asarray(read_image(name)).mean())) for name in names]
    table = Table("brightness", "Mean of each image", ("id", "brightness"), rows)
    return Section("Brightness", f"The first {count} images of {evaluated.split}.", [table])
"""
SECTION = f"brightness:\n  _target_: {PACKAGE}.brightness_report\n  count: 7\n"


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    site = tmp_path / "site"
    site.mkdir()
    (site / f"{PACKAGE}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(site))
    folder = tmp_path / "my_configs"
    (folder / "report").mkdir(parents=True)
    (folder / "report" / "brightness.yaml").write_text(SECTION)
    yield folder
    sys.modules.pop(PACKAGE, None)


def test_a_plugins_section_is_in_the_report(sightline: Sightline, configs: Path) -> None:
    train = ("train", "--config-dir", str(configs), *QUICK, f"plugins=[{PACKAGE}]")
    done = sightline(*train, "report=[reliability,brightness]")
    assert done.status == 0, done.err
    page = done.download("report.html").read_text(encoding="utf-8")
    assert page.index("<h2>Calibration</h2>") < page.index("<h2>Brightness</h2>")
    assert "The first 7 images of test." in page
    header, *rows = done.download("report/brightness.csv").read_text().splitlines()
    assert header == "id,brightness"
    assert len(rows) == 7
    assert all(0 < float(row.split(",")[1]) < 255 for row in rows)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((f"plugins=[{PACKAGE}]", "+report.brightness.cuont=3"), "report.brightness.count"),
        ((f"plugins=[{PACKAGE}]", "report.brightness.count=many"), "report.brightness.count"),
        (("plugins=[]",), f"plugins=[{PACKAGE}]"),
    ],
    ids=["unknown setting", "wrong type", "not a listed plugin"],
)
def test_a_wrong_setting_is_refused_before_the_training(
    sightline: Sightline, configs: Path, words: tuple[str, ...], message: str
) -> None:
    done = sightline("train", "--config-dir", str(configs), *QUICK, "report=[brightness]", *words)
    assert done.status == 1
    assert message in done.err
    assert done.runs == []
