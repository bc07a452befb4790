"""CSV text of tables: the one writer, with the line ends and number formats of each file."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from sightline.io.csv_cells import neutral


def csv_text(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    decimals: int | None = None,
    line_end: str = "\n",
) -> str:
    """A header and one line a row; None is an empty cell, and no text is a formula (`csv_cells`).

    Args:
        columns: names of the columns.
        rows: each as long as `columns`.
        decimals: of numbers, where an undefined one (NaN) is an empty cell too; None for numbers in
            full, and NaN as `nan`.
        line_end: between the lines; `\\r\\n` is that of RFC 4180.
    """
    lines = [_line([neutral(name) for name in columns])]
    lines += [_line([_cell(value, decimals) for value in row]) for row in rows]
    return "".join(f"{line}{line_end}" for line in lines)


def to_csv(
    records: Sequence[Mapping[str, object]], decimals: int | None = 6, line_end: str = "\n"
) -> str:
    """One line a record, with the columns of the first one; a missing value is an empty cell.

    Args:
        records: values by column.
        decimals: as for `csv_text`.
        line_end: as for `csv_text`.

    Raises:
        ValueError: a record has a column that the first one does not have.
    """
    columns = list(records[0])
    for record in records:
        if unknown := record.keys() - set(columns):
            raise ValueError(f"expected the columns {columns}, but got {sorted(unknown)} too")
    rows = ([record.get(column) for column in columns] for record in records)
    return csv_text(columns, rows, decimals, line_end)


def _line(cells: Sequence[object]) -> str:
    """One line without its end; a cell with either character of a line's end is in quotes."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n")


def _cell(value: object, decimals: int | None) -> object:
    if decimals is not None and isinstance(value, float):
        return "" if value != value else f"{value:.{decimals}f}"  # NaN differs from itself
    return neutral(value) if isinstance(value, str) else value
