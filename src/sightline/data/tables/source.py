"""SourceData of a table with an image and its labels in each row."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.labels.columns import LabelColumns, label_column, read_labels
from sightline.data.labels.report import labels_found
from sightline.data.reading.images import Images
from sightline.data.source_data import SPLITS, SourceData, Split
from sightline.data.tables.files import LabelTable, TableOrigin, require_column
from sightline.data.tables.repeats import rows_to_keep
from sightline.data.tables.split_column import find_split_column, read_parts
from sightline.errors import UserError, counted


@dataclass(frozen=True)
class Columns:
    """The columns of a table beside its image's and its labels'; None where there is none.

    Attributes:
        split: train, val or test; None: found by its name and values; `none`: not used.
        group: rows that must stay in one split together (a patient, a video).
        metadata: for slices; None for all other columns.
    """

    split: str | None
    group: str | None
    metadata: list[str] | None


def to_source(
    name: str,
    location: str,
    table: pa.Table,
    ids: pa.Array,
    images: Images,
    image_column: str,
    columns: Columns,
    labels: LabelColumns,
    multi_label: bool,
    origin: TableOrigin,
    class_names: tuple[str, ...] | None = None,
    same: pa.Array | None = None,
) -> SourceData:
    """The rows as splits over shared images.

    Args:
        name: short name of the data set.
        location: a path or address, for messages.
        table: N rows, of which `ids` and `images` hold the names and the images.
        image_column: the column of the images.
        columns: split, group and metadata.
        labels: the columns of labels.
        multi_label: whether an image carries any number of labels.
        origin: the files of the rows.
        class_names: the names that numbers stand for, where the file knows them.
        same: the names in a form that each image has one of; None: the names themselves.
    """
    keep = rows_to_keep(table, ids if same is None else same, image_column, origin)
    columns, notes = _with_split(columns, table, {image_column, labels.column or ""}, origin)
    others = {image_column} | _existing(columns, table, origin.name)
    part = read_parts(table, columns.split, origin)
    rows = LabelTable(table, origin, part == SPLITS.index("train"), others)
    names, targets = read_labels(rows, labels, multi_label, class_names)
    if labels.columns is None and label_column(rows, labels) is None:
        notes.append(labels_found(rows, None, names))
    used = others | {c for c in (labels.column, *(labels.columns or names)) if c}
    groups, group_names = _groups(table, columns.group, origin)
    metadata = _metadata(table, columns, used)
    pool = Split(ids, targets, images, np.arange(len(ids)), groups=groups, metadata=metadata)
    if len(keep) < len(ids):
        notes.append(counted(
            len(ids) - len(keep), "row that repeats another one exactly is dropped",
            "rows that repeat another one exactly are dropped",
        ))  # fmt: skip
        pool, part = pool.select(keep), part[keep]
    present = [index for index in range(len(SPLITS)) if (part == index).any()]
    splits = {SPLITS[index]: pool.select(np.flatnonzero(part == index)) for index in present}
    return SourceData(name, location, names, splits, notes=tuple(notes), group_names=group_names)


def _with_split(
    columns: Columns, table: pa.Table, others: set[str], origin: TableOrigin
) -> tuple[Columns, list[str]]:
    """The columns with the one of the splits, and a note where it was found by its name."""
    reserved = others | {columns.group or ""}
    found = find_split_column(table, columns.split, reserved, origin)
    notes = []
    if columns.split is None and found is not None:
        notes.append(f"reads the splits from the column {found!r}")
    return replace(columns, split=found), notes


def _existing(columns: Columns, table: pa.Table, where: str) -> set[str]:
    """The named columns; one that the table does not have is refused."""
    named = [("split_column", columns.split), ("group_column", columns.group)]
    named += [("metadata_columns", column) for column in columns.metadata or []]
    for key, column in named:
        if column is not None:
            require_column(table, column, f"data.{key}", where)
    return {column for _, column in named if column is not None}


def _groups(
    table: pa.Table, column: str | None, origin: TableOrigin
) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    """The group's code of each row, and the names of the codes; None where there are none."""
    if column is None:
        return None, None
    texts = pc.fill_null(_own_where_absent(table[column], origin), "")
    empty = np.flatnonzero(pc.equal(texts, "").to_numpy(zero_copy_only=False))
    if len(empty):
        raise UserError(f"{origin.row(int(empty[0]))}, column {column!r}: the group is missing.")
    encoded = pc.dictionary_encode(texts)
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return codes, tuple(encoded.dictionary.to_pylist())


def _own_where_absent(values: pa.ChunkedArray, origin: TableOrigin) -> pa.Array:
    """The groups as text; in a file without the column each row is a group of its own."""
    parts = []
    start = 0
    for name, length in zip(origin.names, origin.lengths, strict=True):
        part = values.slice(start, length).combine_chunks().cast(pa.string())
        if part.null_count == length and len(origin.names) > 1:
            part = pa.array([f"{name}, row {row}" for row in range(length)])
        parts.append(part)
        start += length
    return pa.concat_arrays(parts)


def _metadata(table: pa.Table, columns: Columns, used: set[str]) -> pa.Table | None:
    """The further columns: those named, or all that hold nothing else."""
    names = columns.metadata
    if names is None:
        names = [name for name in table.column_names if name not in {*used, "label", "labels"}]
        names += [columns.group] if columns.group is not None else []  # groups are slices too
    return _compact(table.select(names)) if names else None


def _compact(table: pa.Table) -> pa.Table:
    """The same with text in dictionaries: a column of few different words costs little."""
    encoded = [
        pc.dictionary_encode(c.combine_chunks()) if pa.types.is_string(c.type) else c
        for c in table.columns
    ]
    return pa.table(dict(zip(table.column_names, encoded, strict=True)))
