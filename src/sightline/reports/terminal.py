"""A report's table in a terminal."""

from collections.abc import Sequence
from dataclasses import replace

from rich import box, get_console
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table as RichTable

from sightline.io.printable import on_one_line
from sightline.reports.parts import Cell, Table

# Columns of short numbers, whose lines are never broken.
NUMBERS = (
    "rank", "runs", "pair", "difference", "95 % interval", "p (Holm)", "shown from",
)  # fmt: skip
NARROWEST, WIDEST = 10, 20  # bounds of a text column's least width, in characters


def to_rich(table: Table, rows: int | None = None) -> RichTable:
    """The table's first `rows` rows, or all of them, as a rich table."""
    drawn = RichTable(
        box=box.SIMPLE_HEAD, title=table.caption, title_justify="left", pad_edge=False,
        padding=(0, 1, 0, 0),
    )  # fmt: skip
    cells = [[_text(cell) for cell in row] for row in table.rows[:rows]]
    for place, name in enumerate(table.columns):
        longest = max(len(word) for word in name.split())
        short = " " not in name and all(len(row[place]) < NARROWEST for row in cells)
        whole = short or name in NUMBERS
        width = None if whole else min(WIDEST, max(NARROWEST, longest))
        drawn.add_column(name, overflow="fold", no_wrap=whole, min_width=width)
    for row in cells:
        drawn.add_row(*row)
    return drawn


def fitted(table: Table, columns: Sequence[str], rows: int | None = None) -> Table:
    """A table that is wider than the terminal with its columns of config values in one.

    Args:
        table: as it is.
        columns: of config values.
        rows: how many are shown; None: all.
    """
    console = get_console()
    lines = Segment.split_lines(console.render(to_rich(table, rows), console.options))
    width = max(Segment.get_line_length(line) for line in lines)
    if width <= console.width or not set(columns) <= set(table.columns):
        return table
    places = {table.columns.index(name): name for name in columns}
    last = [name.rpartition(".")[2] for name in columns]
    ends = zip(columns, last, strict=True)
    short = {name: end if last.count(end) == 1 else name for name, end in ends}
    kept = [place for place in range(len(table.columns)) if place not in places]
    cells = [
        [
            *(row[place] for place in kept),
            "\n".join(f"{short[name]}={row[at]}" for at, name in places.items() if row[at]),
        ]
        for row in table.rows
    ]
    return replace(table, columns=[*(table.columns[place] for place in kept), "config"], rows=cells)


def _text(value: Cell) -> str:
    return "" if value is None else escape(on_one_line(str(value)))
