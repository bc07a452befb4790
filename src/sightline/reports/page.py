"""One self-contained HTML page of a run: facts, metrics and sections. No script, no network."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from sightline.reports.parts import Cell, Chart, Gallery, Section, Table

TEMPLATE = Path(__file__).with_name("page.html.j2")
SHOWN_ROWS = 15  # of a table; the others unfold
MAX_ROWS = 300  # that a page holds; the whole table is a file beside it
MAX_BYTES = 5_000_000


@dataclass(frozen=True)
class Page:
    """What a report says of one run.

    Attributes:
        title: the run's name.
        subtitle: what was evaluated.
        facts: name to value, in order.
        metrics: tables of them, the headline ones first.
        sections: in order.
        problems: what could not be shown, and why, in words.
    """

    title: str
    subtitle: str
    facts: Mapping[str, str]
    metrics: Sequence[Table]
    sections: Sequence[Section]
    problems: Sequence[str]


def render_page(page: Page) -> str:
    """The page as HTML, under 5 MB: galleries that would not fit are left out and named.

    Every text is escaped; images and charts are inside.
    """
    html = _render(page)
    sections, left_out = list(page.sections), list(page.problems)
    while len(html.encode()) > MAX_BYTES and sections:
        heaviest = max(range(len(sections)), key=lambda i: _weight(sections[i]))
        left_out.append(
            f"{sections[heaviest].title}: left out here, the page would be over "
            f"{MAX_BYTES // 1_000_000} MB; its files are beside it."
        )
        del sections[heaviest]
        html = _render(replace(page, sections=sections, problems=left_out))
    return html


def _render(page: Page) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    environment.filters |= {"cell": _cell, "data": _data, "kind": _kind, "numeric": _numeric}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(page=page, shown_rows=SHOWN_ROWS, max_rows=MAX_ROWS)


def _weight(section: Section) -> int:
    total = 0
    for part in section.parts:
        if isinstance(part, Chart):
            total += len(part.png)
        elif isinstance(part, Gallery):
            total += sum(len(tile.jpeg or b"") for tile in part.tiles)
    return total


def _cell(value: Cell) -> str:
    if value is None or value != value:  # NaN differs from itself
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else value


def _numeric(value: Cell) -> bool:
    return isinstance(value, int | float)


def _data(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _kind(part: Any) -> str:
    return type(part).__name__.lower()
