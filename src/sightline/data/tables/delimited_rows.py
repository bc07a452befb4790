"""Delimited text row by row: without comments and cells that were added, and faults by line."""

import csv
import io
from collections.abc import Iterator

import pyarrow as pa

from sightline.data.tables.encoding import decoded
from sightline.data.tables.preamble import COMMENT, comment_note
from sightline.errors import UserError, counted

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def rows_of(text: str, separator: str) -> Iterator[list[str]]:
    """The rows that are not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    return (row for row in reader if row)


def is_comment(row: list[str]) -> bool:
    """Whether a row that does not fit the others is a comment."""
    return row[0].startswith(COMMENT)


def read_rows(
    content: pa.Buffer, separator: str, notes: list[str], where: str, above: int
) -> pa.Table | None:
    """The table without comment lines, and without empty cells beyond the header's.

    Raises:
        UserError: a line is not UTF-8, or has more or fewer cells; names it.
    """
    cells: list[list[str]] = []
    comments = trailing = 0
    reader = csv.reader(io.StringIO(decoded(content, where, above), newline=""),
                        delimiter=separator)  # fmt: skip
    try:
        for row in filter(None, reader):
            width = len(cells[0]) if cells else len(row)
            beyond = row[width:]
            if len(row) < width or any(cell.strip() for cell in beyond):
                if not is_comment(row):
                    raise UserError(_other_width(row, cells[0], separator,
                                                 f"{where} {above + reader.line_num}"))  # fmt: skip
                comments += 1
                continue
            trailing += bool(beyond)
            cells.append(row[:width])
    except csv.Error:
        return None
    notes += comment_note(comments)
    if trailing:
        notes.append(f"empty cells behind {counted(trailing, 'row')} left out")
    columns = [pa.array(column, pa.string()) for column in zip(*cells[1:], strict=True)]
    return pa.Table.from_arrays(columns, cells[0]) if columns else None


def _other_width(row: list[str], names: list[str], separator: str, where: str) -> str:
    shown = separator.join(row)[:80]
    return (
        f"{where}: {counted(len(row), 'cell')} between {SEPARATORS[separator]}, but the line of "
        f"names has {len(names)} ({', '.join(names[:10])}): {shown!r}. Correct the line; remove "
        "what is no part of the table; where another character stands between cells, name it in a "
        "first line, such as sep=;"
    )
