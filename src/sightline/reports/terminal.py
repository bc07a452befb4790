"""A table of a report, as a terminal shows it."""

from rich import box
from rich.markup import escape
from rich.table import Table as RichTable

from sightline.reports.parts import Cell, Table

# Columns of short numbers, which are not broken; other columns are as wide as their longest word.
NUMBERS = (
    "rank", "runs", "pair", "seeds", "difference", "95 % interval", "alone", "p", "p (Holm)",
)  # fmt: skip
NARROWEST, WIDEST = 10, 20  # characters that a column of words is given at least


def to_rich(table: Table, rows: int | None = None) -> RichTable:
    """The table's first rows, or all of them."""
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
    return "" if value is None else escape(str(value))
