"""Delimited text as a table: the separators and encodings that programs write."""

import codecs
import csv
import io
import logging
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from sightline.errors import UserError, counted
from sightline.io.csv_cells import original, original_column

log = logging.getLogger(__name__)

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
SNIFFED = 65536  # characters from which the separator is found
LINES = 50


def read_delimited(file: Path, separator: str) -> pa.Table:
    """A table of text columns; cells stay as they are written, so that 007 is not 7.

    Read are UTF-8 and UTF-16 (with a byte-order mark), columns between commas, semicolons, tabs or
    vertical bars, and rows that end with empty cells beyond the header's. A separator other than
    the suffix's, another encoding and dropped empty columns are logged. The apostrophe before what
    a spreadsheet would take for a formula is taken away (`io.csv_cells`).

    Args:
        file: the path.
        separator: that the file's suffix stands for; another one is taken where it alone splits
            the first lines into equally many cells.

    Raises:
        UserError: a column without a name holds cells, a name is there twice, or the first line
            names no columns.
        pa.ArrowInvalid: it is not such a table.
    """
    content = pa.memory_map(str(file)).read_buffer()
    notes = []
    start = content[:4].to_pybytes()
    encoding = next((e for mark, e in BYTE_ORDER_MARKS.items() if start.startswith(mark)), None)
    if encoding is not None:
        content = pa.py_buffer(content.to_pybytes().decode(encoding).encode())
        notes.append("UTF-16")
    found = _separator(content, separator)
    if found != separator:
        notes.append(f"{SEPARATORS[found]} between columns")
    table = _read(content, found)
    columns = [original_column(column) if pa.types.is_string(column.type) else column
               for column in table.columns]  # fmt: skip
    table = pa.Table.from_arrays(columns, [original(name) for name in table.column_names])
    names = [name.strip() for name in table.column_names]
    blank = [index for index, name in enumerate(names) if not name]
    if len(blank) == len(names):
        raise UserError(f"{file}: the first line names no columns.")
    empty = [index for index in blank if _is_empty(table.column(index))]
    if empty:
        notes.append(f"{counted(len(empty), 'empty column')} without a name left out")
        table = table.select([i for i in range(len(names)) if i not in empty])
    if (plain := _without_spaces(table)) is not None:
        notes.append("spaces around names of columns left out")
        table = plain
    twice = sorted(n for n, count in Counter(table.column_names).items() if count > 1)
    if twice:
        raise UserError(f"{file}: the column {twice[0]!r} is there twice.")
    if notes:
        log.warning("%s: read with %s.", file, "; ".join(notes))
    return table


def _without_spaces(table: pa.Table) -> pa.Table | None:
    """The table without spaces around its columns' names; None where that changes nothing, or would
    make one name of two."""
    names = [name.strip() or name for name in table.column_names]
    if names == table.column_names or len(set(names)) < len(set(table.column_names)):
        return None
    return table.rename_columns(names)


def _separator(content: pa.Buffer, usual: str) -> str:
    """The usual one, unless another one alone splits all of the first lines alike."""
    text = content[:SNIFFED].to_pybytes().decode("utf-8", "replace")
    if len(_widths(text, usual)) == 1 < min(_widths(text, usual)):
        return usual
    others = [each for each in SEPARATORS if each != usual]
    alike = [each for each in others if len(_widths(text, each)) == 1 < min(_widths(text, each))]
    return alike[0] if len(alike) == 1 else usual


def _widths(text: str, separator: str) -> set[int]:
    """The numbers of cells in the first lines."""
    complete = text if len(text) < SNIFFED else text[: text.rfind("\n")]
    try:
        return {len(row) for row in islice(_rows(complete, separator), LINES)} or {0}
    except csv.Error:
        return {0}


def _read(content: pa.Buffer, separator: str) -> pa.Table:
    names = next(_rows(content[:SNIFFED].to_pybytes().decode("utf-8", "replace"), separator), [])
    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(content),
            parse_options=pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        trimmed = _without_trailing(content, separator, names)
        if trimmed is None:
            raise
        return trimmed


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    """The rows that are not blank."""
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=separator)
    return (row for row in reader if row)


def _without_trailing(content: pa.Buffer, separator: str, names: list[str]) -> pa.Table | None:
    """The table without empty cells beyond the header's; None where the rows differ otherwise."""
    width = len(names)
    cells: list[list[str]] = []
    try:
        for row in _rows(content.to_pybytes().decode(), separator):
            if any(cell.strip() for cell in row[width:]) or len(row) < width:
                return None
            cells.append(row[:width])
    except (UnicodeDecodeError, csv.Error):
        return None
    columns = [pa.array(column, pa.string()) for column in zip(*cells[1:], strict=True)]
    return pa.Table.from_arrays(columns, names) if columns else None


def _is_empty(column: pa.ChunkedArray) -> bool:
    return not any(cell and cell.strip() for cell in column.to_pylist())
