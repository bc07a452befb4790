"""Self-contained HTML page of a run: verdict, facts, metrics and sections, without network.

Its one script sorts tables (`vendored/`, sortable-tablesort 4.1.7). The page's security policy
names the digests of this script and of the style: the browser runs and applies nothing else.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from sightline.reports.canvas import CSS_PIXELS, WIDTH
from sightline.reports.parts import Cell, Chart, Gallery, Section, Table, WithInterval

TEMPLATE = Path(__file__).with_name("page.html.j2")
STYLE = Path(__file__).with_name("page.css")
SCRIPTS = ("sortable.min.js", "sortable.a11y.min.js")  # of `vendored/`: the sorter, and its keys
LEADING_NUMBER = re.compile(r"[+\-−]?\d[\d,]*(\.\d+)?")
SHOWN_ROWS = 15  # of a table; the others are folded
MAX_ROWS = 300  # of a table in the page; the complete table is a file beside it
MAX_BYTES = 5_000_000
STANDARD = round(WIDTH * CSS_PIXELS)  # of a chart, in CSS pixels; a wider one scrolls


@dataclass(frozen=True)
class Page:
    """Content of the page of one run.

    Attributes:
        title: the run's name.
        subtitle: checkpoint and split that were evaluated.
        facts: name to value, in order.
        metrics: tables of metrics, the headline ones first.
        sections: in order.
        problems: sections that are missing, each with the reason.
        links: to other pages, by their text.
        verdict: what the results say, the most important sentence first.
        rule: the decision rule with its thresholds; empty where nothing is decided.
    """

    title: str
    subtitle: str
    facts: Mapping[str, str]
    metrics: Sequence[Table]
    sections: Sequence[Section]
    problems: Sequence[str]
    links: Mapping[str, str] = field(default_factory=dict)
    verdict: Sequence[str] = ()
    rule: str = ""


def render_page(page: Page) -> str:
    """The page as HTML of at most 5 MB: the largest sections are left out and named until it fits.

    Every text is escaped; images and charts are embedded.
    """
    html = _render(page)
    sections, left_out = list(page.sections), list(page.problems)
    while len(html.encode()) > MAX_BYTES and sections:
        largest = max(range(len(sections)), key=lambda i: _image_bytes(sections[i]))
        left_out.append(
            f"{sections[largest].title}: left out here, the page would be over "
            f"{MAX_BYTES // 1_000_000} MB; its files are beside it."
        )
        del sections[largest]
        html = _render(replace(page, sections=sections, problems=left_out))
    return html


def _render(page: Page) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    environment.filters |= {
        "cell": _cell, "data": _data, "kind": _kind, "numeric": _numeric, "sort_key": _sort_key,
    }  # fmt: skip
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    style = STYLE.read_text(encoding="utf-8")
    folder = TEMPLATE.with_name("vendored")
    script = "".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return template.render(
        page=page, shown_rows=SHOWN_ROWS, max_rows=MAX_ROWS, standard=STANDARD,
        style=style, script=script, style_digest=_digest(style),
        script_digest=_digest(script),
    )  # fmt: skip


def _digest(text: str) -> str:
    """The digest of a part of the page, as its security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _image_bytes(section: Section) -> int:
    total = 0
    for part in section.parts:
        if isinstance(part, Chart):
            total += len(part.png)
        elif isinstance(part, Gallery):
            total += sum(len(tile.jpeg or b"") for tile in part.tiles)
    return total


def _cell(value: Cell) -> str:
    number = value.value if isinstance(value, WithInterval) else value
    if number is None or number != number:  # NaN differs from itself
        return ""
    if isinstance(number, float):
        return f"{number:.4f}"
    return f"{number:,}" if isinstance(number, int) else number


def _sort_key(value: Cell) -> str:
    """What a table is sorted by: the number that a text begins with, else the text."""
    number = value.value if isinstance(value, WithInterval) else value
    if isinstance(number, str):
        found = LEADING_NUMBER.match(number)
        return found[0].replace(",", "").replace("−", "-") if found else number
    return "" if number is None or number != number else repr(number)


def _numeric(value: Cell) -> bool:
    return isinstance(value, int | float | WithInterval)


def _data(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _kind(part: Any) -> str:
    return type(part).__name__.lower()
