"""The column of a table that says which split a row is in: as named, found, or none."""

import logging
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.source_data import SPLIT_WORDS, SPLITS
from sightline.data.tables.files import TableOrigin
from sightline.errors import UserError

log = logging.getLogger(__name__)

FEW = 20  # different values, as splits or folds have
NONE = "none"  # data.split_column=none: a column that looks like one is not used
# Usual names of such a column, in lower case.
NAMES = ("split", "splits", "set", "subset", "partition", "fold", "phase", "usage")
FLAG = re.compile(r"(is|in|for)[_ ]?(train|val|test|dev|holdout)", re.IGNORECASE)  # is_valid
HEAD = 100  # rows by which most other columns are known to hold something else


def find_split_column(
    table: pa.Table, wanted: str | None, others: set[str], origin: TableOrigin
) -> str | None:
    """The column with the rows' splits; None where there is none.

    Args:
        table: N rows.
        wanted: its name; `none`; or None: a column whose values are names of splits, such as
            train, valid and test; with one of the usual names also where only some are.
        others: columns that hold something else.
        origin: the files of the rows.

    Raises:
        UserError: two columns look like it, or only some of a column's values are splits.
    """
    if wanted is not None:
        return None if wanted == NONE and NONE not in table.column_names else wanted
    found: list[str] = []
    by_values: list[str] = []  # taken where none has a usual name
    for column in table.column_names:
        if column in others:
            continue
        if column.strip().lower() in NAMES:
            found += [column] if _named_holds_splits(table, column, origin) else []
        elif _holds_splits(table, column):
            by_values.append(column)
        elif FLAG.match(column.strip()):
            log.warning(
                "%s: the column %r is not read as the split of each row: a column `split` of "
                "train, val and test is; data.split_column=none leaves this warning out.",
                origin.name, column,
            )  # fmt: skip
    found = found or by_values
    if len(found) > 1:
        raise UserError(
            f"{origin.name}: the columns {' and '.join(map(repr, found))} both look like the split "
            "of each row. Choose one with data.split_column=NAME, or none."
        )
    return found[0] if found else None


def read_parts(table: pa.Table, column: str | None, origin: TableOrigin) -> np.ndarray:
    """The index in SPLITS of each row, shape (N,), int8; all are train without a column.

    Raises:
        UserError: a cell names no split, or no row is in train.
    """
    if column is None:
        return np.zeros(table.num_rows, np.int8)
    encoded = pc.dictionary_encode(_texts(table, column))
    words = [_split(word) for word in encoded.dictionary.to_pylist()]
    meaning = np.array([-1 if word is None else SPLITS.index(word) for word in words], np.int8)
    part: np.ndarray = meaning[encoded.indices.to_numpy(zero_copy_only=False)]
    unknown = np.flatnonzero(part < 0)
    if len(unknown):
        row = int(unknown[0])
        raise UserError(
            f"{origin.row(row)}, column {column!r}: expected train, val or test, but got "
            f"{_texts(table, column)[row].as_py()!r}."
        )
    if not (part == SPLITS.index("train")).any():
        raise UserError(f"{origin.name}, column {column!r}: no row is in train.")
    return part


def _named_holds_splits(table: pa.Table, column: str, origin: TableOrigin) -> bool:
    """Whether a column with a usual name holds splits; where only some values are, it is refused,
    and where none is train it is logged."""
    values = set(pc.unique(_texts(table, column)).to_pylist())
    unknown = sorted(value for value in values if _split(value) is None)
    if any(_split(value) == "train" for value in values):
        if unknown:
            raise UserError(
                f"{origin.name}, column {column!r}: it looks like the split of each row, but "
                f"{', '.join(map(repr, unknown[:5]))} is not train, val or test. Correct it, "
                f"or give data.split_column=none to make splits without it."
            )
        return True
    if len(values) <= FEW:
        log.warning(
            "%s: the column %r is not read as the split of each row, as none of its values "
            "(%s) is train; data.split_column=none leaves this warning out.",
            origin.name, column, ", ".join(map(repr, unknown[:5])),
        )  # fmt: skip
    return False


def _holds_splits(table: pa.Table, column: str) -> bool:
    """Whether each value of a column of texts is a split's name, with train and another one."""
    kind = table.schema.field(column).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return False
    head = _texts(table.slice(0, HEAD), column).to_pylist()
    if any(_split(value) is None for value in head):
        return False
    splits = {_split(value) for value in pc.unique(_texts(table, column)).to_pylist()}
    return None not in splits and "train" in splits and len(splits) > 1


def _split(value: str) -> str | None:
    return SPLIT_WORDS.get(value.strip().lower())


def _texts(table: pa.Table, column: str) -> pa.Array:
    return pc.fill_null(table[column].combine_chunks().cast(pa.string()), "")
