"""Delimited text as a table: the separators and encodings that programs write."""

import csv
import logging
from collections import Counter
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from sightline.data.tables.delimited_rows import SEPARATORS, is_comment, read_rows, rows_of
from sightline.data.tables.encoding import as_utf8, lenient_text
from sightline.data.tables.preamble import find_preamble
from sightline.errors import UserError, counted
from sightline.io.csv_cells import original, original_column

log = logging.getLogger(__name__)

SNIFFED = 65536  # characters from which the separator is found
LINES = 50


def read_delimited(file: Path, separator: str) -> pa.Table:
    """A table of text columns; cells stay as they are written, so that 007 is not 7.

    Read are UTF-8, UTF-16 and UTF-32, columns between commas, semicolons, tabs or vertical bars,
    and rows that end with empty cells beyond the header's. Comment lines (#) and a first line
    `sep=;` are left out. A separator other than the suffix's, another encoding, dropped empty
    columns and lines left out are logged. The apostrophe before what a spreadsheet would take for
    a formula is taken away (`io.csv_cells`).

    Args:
        file: the path.
        separator: that the file's suffix stands for; another one is taken where it alone splits
            the first lines into equally many cells, or the line `sep=` states it.

    Raises:
        UserError: a column without a name holds cells, a name is there twice, the first line
            names no columns, or a line has other cells than it.
        pa.ArrowInvalid: it is not such a table.
    """
    content, encoding = as_utf8(pa.memory_map(str(file)).read_buffer())
    notes = [encoding.upper()] if encoding else []
    lines = content[:SNIFFED].to_pybytes().splitlines(keepends=True)
    above = find_preamble([lenient_text(line) for line in lines], list(SEPARATORS), str(file))
    content = content[sum(map(len, lines[: above.lines])) :]
    found = above.separator or _separator(content, separator)
    stated = ", as its line sep= says" if above.separator else ""
    if found != separator or stated:
        notes.append(f"{SEPARATORS[found]} between columns{stated}")
    notes += above.notes
    table = _read(content, found, notes, f"{file}, line", above.lines)
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
    text = lenient_text(content[:SNIFFED].to_pybytes())
    if len(_widths(text, usual)) == 1 < min(_widths(text, usual)):
        return usual
    others = [each for each in SEPARATORS if each != usual]
    alike = [each for each in others if len(_widths(text, each)) == 1 < min(_widths(text, each))]
    return alike[0] if len(alike) == 1 else usual


def _widths(text: str, separator: str) -> set[int]:
    """The numbers of cells in the first lines, without those of comments."""
    complete = text if len(text) < SNIFFED else text[: text.rfind("\n")]
    try:
        rows = enumerate(islice(rows_of(complete, separator), LINES))
        return {len(row) for index, row in rows if not index or not is_comment(row)} or {0}
    except csv.Error:
        return {0}


def _read(content: pa.Buffer, separator: str, notes: list[str], where: str, above: int) -> pa.Table:
    """The table; `notes` gets what was left out of it.

    Args:
        content: UTF-8, from the names of the columns on.
        separator: between cells.
        where: the words before a line's number.
        above: how many lines are left out above the content.
    """
    names = next(rows_of(lenient_text(content[:SNIFFED].to_pybytes()), separator), [])
    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(content),
            parse_options=pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        trimmed = read_rows(content, separator, notes, where, above)
        if trimmed is None:
            raise
        return trimmed


def _is_empty(column: pa.ChunkedArray) -> bool:
    return not any(cell and cell.strip() for cell in column.to_pylist())
