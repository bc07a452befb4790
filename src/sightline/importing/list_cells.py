"""Lists in the cells of a table: Arrow's own, and those that a CSV file holds as text."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import UserError
from sightline.importing.foreign_table import ForeignTable, shown

MOST_LETTERS = 2**24  # of a cell that is read as a list


def list_columns(table: ForeignTable) -> dict[str, pa.ListArray]:
    """The columns of lists, by name; text such as [0.1, 0.9] is read as one.

    Raises:
        UserError: a cell is no such list, or empty; names its row.
    """
    found = {}
    for name in table.table.column_names:
        column = table.table[name].combine_chunks()
        if pa.types.is_string(column.type) and name != table.id_column and _begins(column):
            column = _parsed(table, name, column)
        if pa.types.is_fixed_size_list(column.type) or pa.types.is_large_list(column.type):
            column = column.cast(pa.list_(column.type.value_type))
        if not pa.types.is_list(column.type):
            continue
        if column.null_count:
            row = pc.index(column.is_null(), True).as_py()
            raise UserError(f"{table.row(row)}: the list of {shown(name)} is empty.")
        found[name] = column
    return found


def rows_of(lists: pa.ListArray) -> np.ndarray:
    """The row of each value of `pc.list_flatten`, shape (M,)."""
    rows: np.ndarray = pc.list_parent_indices(lists).to_numpy()
    return rows


def finite_values(table: ForeignTable, rows: np.ndarray, values: pa.Array, form: str) -> np.ndarray:
    """The values of lists as finite double numbers.

    Args:
        table: that they are of, for messages.
        rows: of each value, shape (M,).
        values: M numbers.
        form: of the lists, in words.

    Raises:
        UserError: they are no numbers, or one is missing, NaN or infinite; names its row.
    """
    try:
        found: np.ndarray = values.cast(pa.float64()).fill_null(np.nan).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"{table.file}: {form} holds no numbers ({values.type}).") from error
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        cell = values[int(bad[0])].as_py()
        raise UserError(
            f"{table.row(int(rows[bad[0]]))}: {form} holds {'nothing' if cell is None else cell}; "
            "expected finite numbers."
        )
    return found


def _begins(column: pa.StringArray) -> bool:
    first = column[0].as_py()
    return isinstance(first, str) and first.lstrip().startswith("[")


def _parsed(table: ForeignTable, name: str, column: pa.StringArray) -> pa.Array:
    lists = [_list_of(table, row, name, cell.as_py()) for row, cell in enumerate(column)]
    try:
        return pa.array(lists)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UserError(
            f"{table.file}: the lists of {shown(name)} hold values of different kinds."
        ) from error


def _list_of(table: ForeignTable, row: int, name: str, text: str | None) -> list[Any]:
    """A list as JSON, or of numbers between spaces, as NumPy prints them."""
    cell = (text or "").strip()
    if len(cell) <= MOST_LETTERS and cell.startswith("[") and cell.endswith("]"):
        try:
            found = json.loads(cell)
            if isinstance(found, list):
                return found
        except (ValueError, RecursionError):
            pass  # it may be NumPy's form
        try:
            return [float(word) for word in cell[1:-1].split()]
        except ValueError:
            pass  # it is neither
    raise UserError(
        f"{table.row(row)}: {shown(cell)} in {shown(name)} is no list as JSON writes it. A CSV "
        "file holds lists badly: save the table as Parquet or JSON lines, or with a column a class "
        "(timm's inference.py: --results-format parquet, or --results-separate-col)."
    )
