"""report.html in a real browser: self-contained, readable at both widths, and every text a text."""

from __future__ import annotations

import html
import json
import re
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.browser import browse
from support.tables import HOSTILE, make_evaluated

from sightline.metrics.values import per_class_rows
from sightline.reports.page import MAX_BYTES, Page, render_page
from sightline.reports.parts import Gallery, Section, Table, Tile
from sightline.reports.sections.confusion import confusion_report
from sightline.reports.sections.gallery import gallery_report
from sightline.reports.sections.per_class import per_class_report

WIDTHS = (1600, 1280, 390)
BROWSERS_OWN = (".google.com", ".googleapis.com", ".gstatic.com")  # whatever page it shows


def make_page(sections: list[Section], problems: list[str] | None = None) -> Page:
    rows = [(name, 0.9, "0.800 to 0.950") for name in HOSTILE]
    return Page(
        f"a run named {HOSTILE[0]}", "the best checkpoint on test",
        {"data": HOSTILE[3], "command": "sightline train " + "y" * 500},
        [Table(None, "Headline metrics", ("metric", "test", "test 95 %"), rows)],
        sections, [HOSTILE[0]] if problems is None else problems,
    )  # fmt: skip


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """A page for each label mode, with class names that try everything."""
    made = {}
    for mode, classes in (("binary", 2), ("multiclass", 30), ("multilabel", 6)):
        names = (*HOSTILE, *(f"class {i}" for i in range(30)))[:classes]
        evaluated = make_evaluated(mode, classes, names=names)
        rows = per_class_rows(evaluated.label_mode, evaluated.table)
        for row in rows:
            row |= {"recall_low": 0.5, "recall_high": 0.9}
        made[mode] = render_page(make_page([
            confusion_report(evaluated, 15),
            per_class_report(evaluated, rows),
            gallery_report(evaluated, lambda name: Image.new("RGB", (300, 100), "teal"), 6),
        ]))  # fmt: skip
    return made


def test_every_text_is_escaped(pages: dict[str, str]) -> None:
    for page in pages.values():
        assert page.count("<script") == 1  # the sorter, whose digest the policy names
        assert "{{ 7 * 7 }}" in page or "binary" in page
        assert html.escape(HOSTILE[0]) in page


def test_nothing_is_asked_of_a_network(pages: dict[str, str]) -> None:
    for page in pages.values():
        assert "default-src 'none'" in page
        sources = re.findall(r"""\b(?:src|srcset|href|action)=["']?([^"'\s>]*)""", page)
        assert sources
        assert all(source.startswith(("data:image/", "#section-")) for source in sources)
        assert "unsafe" not in page
        assert not re.search(r"url\(|@import|<link|<iframe|<object|<embed|style=", page)
        images = re.findall(r"<img [^>]*>", page)
        assert images
        assert all(re.search(r'alt="[^"]+"', image) for image in images)


def test_a_page_that_would_be_too_large_leaves_out_the_largest_and_says_so() -> None:
    tile = Tile(b"\xff\xd8" + b"x" * 200_000, ["an image"], {})
    heavy = Section("Heavy", "many", [Gallery("heavy", "all", [tile] * 30)])
    light = Section("Light", "few", [Gallery("light", "all", [tile] * 2)])
    page = render_page(make_page([heavy, light], problems=[]))
    assert len(page.encode()) < MAX_BYTES == 5_000_000
    assert "Heavy: left out here" in page
    assert page.count("<img") == 2


class Proxy(socketserver.ThreadingTCPServer):
    """Answers nothing, and remembers what it was asked for."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Refuse)


class Refuse(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        self.server.asked.append(self.rfile.readline().decode())
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def proxied(proxy: Proxy) -> str:
    return f"--proxy-server=http://127.0.0.1:{proxy.server_address[1]}"


# Measures each frame once all are loaded, and a table of it was sorted by its second column.
MEASURE = """
const table = page => [...page.querySelectorAll('.sortable')]
  .find(t => t.textContent.includes('support'));
const column = page => [...table(page).tBodies[0].rows].map(row => row.cells[1].textContent);
const pages = [...document.querySelectorAll('iframe')].map(frame => frame.contentDocument);
const before = pages.map(column);
for (const page of pages) table(page).tHead.rows[0].cells[1].click();
const zoomed = (page, root) => {
  const zoom = page.querySelector('figure .zoom');
  zoom.open = true;
  const box = zoom.getBoundingClientRect();
  zoom.open = false;
  return box.width / root.clientWidth;
};
setTimeout(() => {
const found = [...document.querySelectorAll('iframe')].map((frame, at) => {
  const page = frame.contentDocument, root = page.documentElement;
  const texts = [...page.querySelectorAll('p, td, th, dd, dt, li, summary, a')]
    .filter(e => e.getClientRects().length);
  return {
    name: frame.dataset.name, width: frame.clientWidth,
    overflow: root.scrollWidth - root.clientWidth,
    outside: [...page.querySelectorAll('body *')].filter(e => e.getClientRects().length
      && !e.closest('.scroll') && e.getBoundingClientRect().right > root.clientWidth + 1)
      .map(e => e.tagName + ' ' + e.className),
    smallest: Math.min(...texts.map(
      e => parseFloat(frame.contentWindow.getComputedStyle(e).fontSize))),
    broken: [...page.images].filter(i => !(i.complete && i.naturalWidth)).length,
    images: page.images.length,
    charts: [...page.querySelectorAll('figure img')].map(i => i.clientWidth),
    before: before[at], sorted: column(page), zoomed: zoomed(page, root),
    cells: [...page.querySelectorAll('td')].filter(e => e.getClientRects().length)
      .filter(e => e.getBoundingClientRect().right > root.clientWidth + 1).map(e => e.textContent),
    used: Math.max(...[...page.querySelectorAll('section')]
      .map(e => e.getBoundingClientRect().width)) / root.clientWidth,
    title: page.querySelector('h1').textContent,
  };
});
document.body.innerHTML = '';
document.body.append(JSON.stringify(found));
}, 500);
"""


def test_looked_at_in_chromium_at_both_widths(
    pages: dict[str, str], tmp_path: Path, proxy: Proxy
) -> None:
    frames = "".join(
        f'<iframe sandbox="allow-same-origin allow-scripts" data-name="{mode}" style="border:0;'
        f'width:{width}px;height:900px" srcdoc="{html.escape(page)}"></iframe>'
        for mode, page in pages.items()
        for width in WIDTHS
    )
    outer = tmp_path / "outer.html"
    control = '<img src="http://control.invalid/seen.png">'  # that a request would be noticed
    outer.write_text(
        f"<meta charset=utf-8><body style='margin:0;width:2000px'>{frames}{control}"
        f"<script>onload = () => {{{MEASURE}}}</script></body>",
        encoding="utf-8",
    )
    dom = browse(
        outer, proxied(proxy), "--window-size=2000,1000", "--dump-dom", "--virtual-time-budget=5000"
    )
    found = json.loads(html.unescape(re.search(r"<body[^>]*>(.*)</body>", dom, re.S)[1]))  # type: ignore[index]
    assert len(found) == len(pages) * len(WIDTHS)
    for frame in found:
        assert frame["overflow"] <= 0, frame
        assert frame["outside"] == [], frame
        assert frame["smallest"] >= 12, frame
        assert frame["broken"] == 0, frame
        assert frame["images"] > 12
        assert frame["cells"] == [], frame  # no column lies outside, also not in a box that scrolls
        assert frame["used"] > 0.9, frame
        assert frame["zoomed"] == 1, frame
        assert len(set(frame["before"])) > 1
        assert frame["sorted"] == sorted(frame["before"], key=int, reverse=True), frame
        assert frame["title"] == f"a run named {HOSTILE[0]}"
        # A chart is never shown smaller than it was drawn for; a large one scrolls in its box.
        assert min(frame["charts"]) >= 350, frame
    asked = [line.split()[1].removeprefix("http://") for line in proxy.asked if line]
    hosts = {re.split("[/:]", address)[0] for address in asked}
    assert {host for host in hosts if not host.endswith(BROWSERS_OWN)} == {"control.invalid"}


@pytest.mark.parametrize("dark", [False, True])
def test_a_screenshot_shows_the_page_in_the_readers_colours(
    pages: dict[str, str], tmp_path: Path, proxy: Proxy, dark: bool
) -> None:
    page = tmp_path / "report.html"
    page.write_text(pages["multiclass"], encoding="utf-8")
    shot = tmp_path / "shot.png"
    flags = ["--blink-settings=preferredColorScheme=0"] if dark else []
    browse(page, proxied(proxy), "--window-size=1280,1400", f"--screenshot={shot}", *flags)
    pixels = np.asarray(Image.open(shot).convert("L"))
    assert (np.median(pixels) < 60) == dark
    assert pixels.std() > 10
