"""A stranger's table of predictions: its file, its ids and the column of its targets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.tables.files import as_text, existing_file, read_table, require_column
from sightline.errors import UserError, did_you_mean
from sightline.importing.file_kinds import check_file_kind
from sightline.importing.json_objects import read_object
from sightline.importing.settings import ImportSettings
from sightline.io.declared_size import check_fits
from sightline.io.printable import on_one_line

IDS = (
    "id", "image_id", "filename", "file_name", "file", "path", "filepath", "file_path", "image",
    "image_path", "img", "im_file",
)  # fmt: skip
TARGETS = (
    "target", "targets", "y_true", "true", "true_label", "ground_truth", "gt", "label", "labels",
    "label_ids", "label_id", "class",
)  # fmt: skip
LONGEST = 60  # characters of a cell in a message
MOST_COMPARED = 2000  # names that a wrong one is compared with


@dataclass(frozen=True)
class ForeignTable:
    """The table of a file.

    Attributes:
        file: that it was read from.
        table: N rows.
        id_column: the column of ids.
        ids: N different texts.
        target_column: the column of targets; None where there is none by its name.
    """

    file: Path
    table: pa.Table
    id_column: str
    ids: tuple[str, ...]
    target_column: str | None

    def row(self, index: int) -> str:
        """The words that name a row, which is counted from 1, the header aside."""
        return f"{self.file}, row {index + 1} ({shown(self.ids[index])})"

    @property
    def others(self) -> list[str]:
        """The columns beside ids and targets."""
        known = {self.id_column, self.target_column}
        return [name for name in self.table.column_names if name not in known]


def shown(cell: object) -> str:
    """A cell of the table in a message: quoted, on one line, cut."""
    text = on_one_line(str(cell))
    return f"'{text}'" if len(text) <= LONGEST else f"'{text[:LONGEST]}…'"


def nearest(given: str, known: Iterable[str]) -> str:
    """What `did_you_mean` says of a text of a stranger's, which may be of any length."""
    return did_you_mean(given[:LONGEST], islice(known, MOST_COMPARED))


def read_foreign(settings: ImportSettings) -> ForeignTable:
    """The table, whose ids are checked.

    Raises:
        UserError: the file cannot be read, or has no ids, an empty one, or one twice.
    """
    check_file_kind(settings.file)
    file = existing_file(str(settings.file), "predictions")
    check_fits(file, file.stat().st_size)
    table = _with_distinct_names(_read(file), file)
    column = _found(table, settings.id_column, "id_column", IDS, file)
    if column is None:
        raise UserError(
            f"{file}: no column is called as one of ids is ({', '.join(IDS)}); give id_column=NAME."
            " The table has a row for each sample, not the metrics of a run. Its columns: "
            f"{_names(table.column_names)}."
        )
    if pa.types.is_nested(table[column].type):
        raise UserError(f"{file}: the column {shown(column)} holds lists, not ids.")
    target = _found(table, settings.target_column, "target_column", TARGETS, file)
    ids = tuple(as_text(table[column]).to_pylist())
    _check_ids(ids, file, column)
    return ForeignTable(file, table, column, ids, target if target != column else None)


def _read(file: Path) -> pa.Table:
    try:
        table = read_object(file) if file.suffix.lower() == ".json" else None
        return read_table(file) if table is None else table
    except RecursionError as error:
        raise UserError(f"{file} cannot be read: its values are nested too deeply.") from error


def _with_distinct_names(table: pa.Table, file: Path) -> pa.Table:
    names = table.column_names
    twice = next((name for name in names if names.count(name) > 1), None) if len(
        set(names)) < len(names) else None  # fmt: skip
    if twice is not None:
        raise UserError(f"{file}: the column {shown(twice)} is there twice.")
    return table


def _found(
    table: pa.Table, given: str | None, key: str, usual: Sequence[str], file: Path
) -> str | None:
    """The column that is given, else the first with a usual name; None where there is none."""
    if given is not None:
        require_column(table, given, key, str(file))
        return given
    lower = {name.lower(): name for name in reversed(table.column_names)}
    return next((lower[name] for name in usual if name in lower), None)


def _check_ids(ids: Sequence[str], file: Path, column: str) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(ids):
        if not name.strip():
            raise UserError(f"{file}, row {row + 1}: the id (column {shown(column)}) is empty.")
        if name in first:
            raise UserError(
                f"{file}, rows {first[name] + 1} and {row + 1}: the id {shown(name)} is there "
                "twice; each sample has one row."
            )
        first[name] = row


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:20])) + (", …" if len(names) > 20 else "")


def numbers(table: ForeignTable, values: pa.ChunkedArray, what: str) -> pa.Array:
    """Cells as finite double numbers.

    Args:
        table: that they are of, for messages.
        values: N cells: numbers, or text.
        what: the column, in words.

    Raises:
        UserError: a cell is empty, no number, NaN or infinite; names its row.
    """
    flat = values.combine_chunks()
    if pa.types.is_dictionary(flat.type):
        flat = flat.dictionary_decode()
    if pa.types.is_string(flat.type) or pa.types.is_large_string(flat.type):
        flat = pc.utf8_trim_whitespace(flat)
    try:
        found = flat.cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        row = next((i for i, cell in enumerate(flat.to_pylist()) if not _is_number(cell)), None)
        if row is None:
            raise UserError(f"{table.file}: {what} holds no numbers ({flat.type}).") from error
        raise _bad_cell(table, row, what, flat[row].as_py()) from error
    bad = pc.invert(pc.fill_null(pc.is_finite(found), False))
    if pc.any(bad).as_py():
        row = pc.index(bad, True).as_py()
        raise _bad_cell(table, row, what, flat[row].as_py())
    return found


def _bad_cell(table: ForeignTable, row: int, what: str, cell: object) -> UserError:
    given = "is empty" if cell in (None, "") else f"is {shown(cell)}"
    return UserError(f"{table.row(row)}: {what} {given}; expected a finite number.")


def _is_number(cell: object) -> bool:
    try:
        float(str(cell))
    except ValueError:
        return False
    return True
