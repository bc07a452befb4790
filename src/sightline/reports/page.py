"""Self-contained HTML page of a run: facts, metrics and sections, without scripts or network."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from sightline.reports.parts import Cell, Chart, Gallery, Section, Table

TEMPLATE = Path(__file__).with_name("page.html.j2")
SHOWN_ROWS = 15  # of a table; the others are folded
MAX_ROWS = 300  # of a table in the page; the complete table is a file beside it
MAX_BYTES = 5_000_000


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
    """

    title: str
    subtitle: str
    facts: Mapping[str, str]
    metrics: Sequence[Table]
    sections: Sequence[Section]
    problems: Sequence[str]
    links: Mapping[str, str] = field(default_factory=dict)


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
    environment.filters |= {"cell": _cell, "data": _data, "kind": _kind, "numeric": _numeric}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(page=page, shown_rows=SHOWN_ROWS, max_rows=MAX_ROWS)


def _image_bytes(section: Section) -> int:
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
