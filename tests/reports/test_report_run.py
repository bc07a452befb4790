"""The report of a training: its sections are configs, and one that fails is said, not fatal."""

from __future__ import annotations

import csv
import html
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image
from support.commands import QUICK, Sightline

from sightline.errors import UserError
from sightline.paths import conf_dir
from sightline.training.logging.report import check_sections

SECTIONS = sorted(path for path in (conf_dir() / "report").glob("*.yaml") if path.stem != "none")
TITLES = {
    "Training", "Confusion", "Ranking", "Classes", "Calibration", "Images",
    "Likely label errors", "Where the model looks", "Map of the features",
}  # fmt: skip
DEFAULTS = yaml.safe_load((conf_dir() / "train.yaml").read_text())["defaults"]
(CHOSEN,) = [group["report"] for group in DEFAULTS if isinstance(group, dict) and "report" in group]


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: path.stem)
def test_every_section_in_the_folder_can_be_asked_for(path: Path) -> None:
    nodes = yaml.safe_load(path.read_text())
    assert list(nodes) == [path.stem]
    check_sections(nodes, plugins=[])
    node = nodes[path.stem]
    with pytest.raises(UserError, match=f"report.{path.stem}.nonsense"):
        check_sections({path.stem: node | {"nonsense": 1}}, plugins=[])


def test_the_default_report_has_every_section() -> None:
    assert sorted(CHOSEN) == [path.stem for path in SECTIONS]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("report.confusion.max_piars=3", "report.confusion.max_pairs"),
        ("report.embedding.method=umap", "report.embedding.method"),
        ("report=[confusoin]", "Did you mean 'confusion'"),
        ("+report.mine.a=1", "report.mine"),
    ],
    ids=["option", "value", "name", "without a target"],
)
def test_a_wrong_section_is_found_before_anything_is_trained(
    sightline: Sightline, argument: str, message: str
) -> None:
    done = sightline("train", *QUICK, argument)
    assert done.status == 1
    assert message in done.err
    assert done.runs == []


def test_a_training_ends_with_a_report(
    sightline: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)  # as where it is not installed
    done = sightline("train", "label_mode=binary", f"report=[{','.join(CHOSEN)}]", *QUICK)
    assert done.status == 0, done.err
    assert done.run.info.status == "FINISHED"
    page = done.download("report.html")
    assert page.stat().st_size < 5_000_000
    text = page.read_text(encoding="utf-8")
    shown = {title for title in TITLES if f"<h2>{title}</h2>" in text}
    assert shown == TITLES - {"Likely label errors"}
    assert html.escape("label_errors: Likely label errors are found by cleanlab") in text
    assert "report.html is without label_errors" in done.out + done.err
    artifacts = {path.removeprefix("report/") for path in done.artifacts() if "report/" in path}
    assert artifacts == {
        "areas.csv", "confusion_column.png", "confusion_count.png", "confusion_row.png",
        "embedding.csv", "embedding.png", "epochs.csv", "grad_cam_errors.csv",
        "grad_cam_errors.png", "grad_cam_right.csv", "least_certain.csv", "worst_errors.csv",
        "grad_cam_right.png", "learning_curves_accuracy.png", "learning_curves_learning_rate.png",
        "learning_curves_loss.png", "learning_curves_val_metrics.png",
        "least_certain.png", "per_class.png",
        "precision_recall.png", "reliability.csv", "reliability.png", "risk_coverage.csv",
        "risk_coverage.png", "roc.png",
        "worst_errors.png",
    }  # fmt: skip
    for name in artifacts:
        if name.endswith(".png"):
            Image.open(done.download(f"report/{name}")).verify()
    with done.download("report/epochs.csv").open() as stream:
        (epoch,) = csv.DictReader(stream)
    assert float(epoch["val/loss"]) == pytest.approx(done.run.data.metrics["val/loss"])
    accuracy = done.run.data.metrics["test/accuracy"]
    assert 'data-label="test"' in text
    assert f'<span>{accuracy:.4f} <span class="interval">' in text


def test_sections_are_chosen_and_their_options_hold(sightline: Sightline) -> None:
    done = sightline(
        "train", "label_mode=multilabel", "data.canvases=[300,100,100]", "evaluate_test=false",
        "report=[gallery,confusion]", "report.gallery.count=3", *QUICK,
    )  # fmt: skip
    assert done.status == 0, done.err
    text = done.download("report.html").read_text(encoding="utf-8")
    assert text.index("<h2>Images</h2>") < text.index("<h2>Confusion</h2>")
    assert "The worst 3 of" in text
    assert "on val" in text
    assert "report/roc.png" not in done.artifacts()
    assert "report/confusion_mixed.png" in done.artifacts()
    assert "report" not in done.run.info.run_name
