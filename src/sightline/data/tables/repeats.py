"""Rows of a table that name an image again: exact repeats, and rows that contradict each other."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.tables.files import TableOrigin
from sightline.errors import UserError, counted

SHOWN = 10  # images that a message names


def rows_to_keep(table: pa.Table, ids: pa.Array, column: str, origin: TableOrigin) -> np.ndarray:
    """Positions of the rows without exact repeats of an earlier one, in order.

    Args:
        table: N rows.
        ids: the name of each row's image, of which each image has one.
        column: the column of the images.
        origin: the files of the rows.

    Raises:
        UserError: an image has no name, or rows of one image that differ.
    """
    blank = np.flatnonzero(
        pc.equal(pc.utf8_trim_whitespace(ids), "").to_numpy(zero_copy_only=False)
    )
    if len(blank):
        raise UserError(f"{origin.row(int(blank[0]))}, column {column!r}: the name is blank.")
    codes = pc.dictionary_encode(ids).indices.to_numpy(zero_copy_only=False)
    first = np.unique(codes, return_index=True)[1]
    if len(first) == len(codes):
        return np.arange(len(codes))
    again = np.setdiff1d(np.arange(len(codes)), first)
    of_code = np.empty(codes.max() + 1, np.int64)
    of_code[codes[first]] = first
    earlier = of_code[codes[again]]
    compared = table.drop_columns([column]) if column in table.column_names else table
    rows = compared.take(pa.array(again)).to_pylist()
    originals = compared.take(pa.array(earlier)).to_pylist()
    conflicts = [
        _conflict(ids[int(one)].as_py(), origin, (int(two), int(one)), (before, after))
        for one, two, after, before in zip(again, earlier, rows, originals, strict=True)
        if after != before
    ]
    if conflicts:
        rows_name = counted(len(conflicts), "row names", "rows name")
        more = f"; and {len(conflicts) - SHOWN:,} more" if len(conflicts) > SHOWN else ""
        raise UserError(
            f"{origin.name}, column {column!r}: {rows_name} an image again, "
            f"unlike its first row: {'; '.join(conflicts[:SHOWN])}{more}. Give each image a "
            "single row (several labels: data.label_separator)."
        )
    return np.setdiff1d(np.arange(len(codes)), again)


def _conflict(
    name: str, origin: TableOrigin, places: tuple[int, int], rows: tuple[dict[str, object], ...]
) -> str:
    """The two rows of an image, and the columns in which they differ."""
    before, after = rows
    differing = [key for key in before if before[key] != after[key]][:3]
    values = ", ".join(f"{key} {before[key]!r} and {after[key]!r}" for key in differing)
    if len(origin.names) == 1:
        where = f"rows {places[0] + 1} and {places[1] + 1}"
    else:
        where = f"{origin.row(places[0])} and {origin.row(places[1])}"
    return f"{name!r} in {where} ({values})"
