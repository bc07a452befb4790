"""report.html and compare's page beside how they looked before, pixel by pixel.

`PYTHONPATH=tests python tests/reports/test_page_pixels.py` records them anew; look at the new file.
The font is matplotlib's own on any machine, and what is compared are means of 8×8 pixels: other
versions of the browser smooth edges in another way.
"""

from __future__ import annotations

import base64
import html
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image
from support.browser import browse
from support.tables import make_evaluated

from sightline.comparison.model_differences import Model, differences_section
from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.metric_sets import headline_names
from sightline.reports.metric_tables import metric_tables
from sightline.reports.page import Page, render_page
from sightline.reports.sections.confusion import confusion_report
from sightline.reports.sections.per_class import per_class_report
from sightline.reports.verdict import verdict

RECORDED = Path(__file__).with_name("page_pixels.png")
FONT = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
WIDTHS, HEIGHT, BLOCK = (1280, 390), 1400, 8
MOST_OFF, OFF = 0.03, 40  # share of blocks, and levels of 255, that may differ


def make_pages() -> list[str]:
    evaluated = make_evaluated("multiclass", 4, names=("ant", "bee", "cat", "dog"))
    found = evaluate_table(evaluated.label_mode, evaluated.table, evaluated.tuning)
    headlines = headline_names(evaluated.label_mode, found.tuning)
    tables = metric_tables({"test": found.rows()}, headlines)
    sections = [confusion_report(evaluated, 5), per_class_report(evaluated, found.per_class)]
    said = verdict(evaluated, found, [])
    facts = {"data": "photographs", "labels": evaluated.label_mode.describe()}
    report = Page("a run", "the best checkpoint", facts, tables, sections, [], verdict=said)
    probs = evaluated.table.probs.copy()
    probs[:20] = np.roll(probs[:20], 1, axis=1)  # a model that is wrong where the other is right
    other = replace(evaluated, table=replace(evaluated.table, probs=probs))
    differ = differences_section(
        Model("A", "first", evaluated), Model("B", "second", other),
        lambda name: Image.new("RGB", (160, 90), "teal"), "",
    )  # fmt: skip
    compared = Page(
        "a comparison", "ranked", {"runs": "2"}, [], [differ], [], verdict=["A is best"]
    )
    return [render_page(report), render_page(compared)]


# The page's policy lets it load no font: this one is given by the page around it.
DRESS = """
const bytes = Uint8Array.from(atob(FONT), c => c.charCodeAt(0));
for (const frame of document.querySelectorAll('iframe')) {
  const win = frame.contentWindow, page = frame.contentDocument;
  const font = new win.FontFace('Fixed', bytes.slice().buffer);
  page.fonts.add(font);
  const sheet = new win.CSSStyleSheet();
  sheet.replaceSync('* { font-family: Fixed !important; }');
  page.adoptedStyleSheets = [sheet];
}
"""


def looks(folder: Path) -> np.ndarray:
    """Both pages at both widths, beside each other: means of blocks, uint8."""
    frames = "".join(
        f'<iframe sandbox="allow-same-origin" style="border:0;width:{width}px;height:{HEIGHT}px" '
        f'srcdoc="{html.escape(page)}"></iframe>'
        for page in make_pages()
        for width in WIDTHS
    )
    font = json.dumps(base64.b64encode(FONT.read_bytes()).decode())
    outer = folder / "outer.html"
    outer.write_text(
        f"<meta charset=utf-8><body style='margin:0;white-space:nowrap'>{frames}"
        f"<script>const FONT = {font}; onload = () => {{{DRESS}}}</script></body>",
        encoding="utf-8",
    )
    shot, size = folder / "shot.png", f"--window-size={2 * sum(WIDTHS)},{HEIGHT}"
    browse(outer, size, f"--screenshot={shot}", "--virtual-time-budget=5000")
    image = Image.open(shot).convert("L")
    assert image.size == (2 * sum(WIDTHS), HEIGHT)
    return np.asarray(image.reduce(BLOCK))


def share_off(seen: np.ndarray, recorded: np.ndarray) -> float:
    return float((np.abs(seen.astype(int) - recorded) > OFF).mean())


def test_the_pages_look_as_they_did(tmp_path: Path) -> None:
    seen, recorded = looks(tmp_path), np.asarray(Image.open(RECORDED))
    assert seen.shape == recorded.shape
    Image.fromarray(seen).save(tmp_path / "seen.png")
    assert share_off(seen, recorded) < MOST_OFF, f"compare {tmp_path}/seen.png with {RECORDED}"
    # What it takes to fail: a page that lies a line lower, or without its left column.
    assert share_off(np.roll(seen, 3, axis=0), recorded) > MOST_OFF
    without = seen.copy()
    without[:, : seen.shape[1] // 4] = 255
    assert share_off(without, recorded) > MOST_OFF


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        Image.fromarray(looks(Path(place))).save(RECORDED, optimize=True)
