"""A report's table in a terminal."""

from rich import box
from rich.markup import escape
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
    for name in table.columns:
        longest = max(len(word) for word in name.split())
        whole = name in NUMBERS
        width = None if whole else min(WIDEST, max(NARROWEST, longest))
        drawn.add_column(name, overflow="fold", no_wrap=whole, min_width=width)
    for row in table.rows[:rows]:
        drawn.add_row(*(_text(cell) for cell in row))
    return drawn


def _text(value: Cell) -> str:
    return "" if value is None else escape(on_one_line(str(value)))
