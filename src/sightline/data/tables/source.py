"""SourceData of a table with an image and its labels in each row."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.labels.columns import LabelColumns, read_labels
from sightline.data.reading.images import Images
from sightline.data.source_data import SPLIT_WORDS, SPLITS, SourceData, Split
from sightline.data.tables.files import LabelTable, TableOrigin, require_column
from sightline.errors import UserError


@dataclass(frozen=True)
class Columns:
    """The columns of a table beside its image's and its labels'; None where there is none.

    Attributes:
        split: train, val or test.
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
    """
    refuse_twice(ids, image_column, origin)
    others = {image_column} | _existing(columns, table, origin.name)
    part = _parts(table, columns.split, origin)
    rows = LabelTable(table, origin, part == SPLITS.index("train"), others)
    names, targets = read_labels(rows, labels, multi_label, class_names)
    used = others | {c for c in (labels.column, *(labels.columns or names)) if c}
    metadata = columns.metadata
    if metadata is None:
        used |= {"label", "labels"}
        metadata = [column for column in table.column_names if column not in used]
        metadata += [columns.group] if columns.group is not None else []  # groups are slices too
    pool = Split(
        ids,
        targets,
        images,
        np.arange(len(ids)),
        groups=None if columns.group is None else _groups(table, columns.group, origin),
        metadata=_compact(table.select(metadata)) if metadata else None,
    )
    if columns.split is None:
        return SourceData(name, location, names, {"train": pool})
    present = [index for index in range(len(SPLITS)) if (part == index).any()]
    splits = {SPLITS[index]: pool.select(np.flatnonzero(part == index)) for index in present}
    return SourceData(name, location, names, splits)


def _existing(columns: Columns, table: pa.Table, where: str) -> set[str]:
    """The named columns; one that the table does not have is refused."""
    named = [("split_column", columns.split), ("group_column", columns.group)]
    named += [("metadata_columns", column) for column in columns.metadata or []]
    for key, column in named:
        if column is not None:
            require_column(table, column, f"data.{key}", where)
    return {column for _, column in named if column is not None}


def refuse_twice(ids: pa.Array, column: str, origin: TableOrigin) -> None:
    """Refuse an image that is named in two rows, and one without a name."""
    blank = np.flatnonzero(
        pc.equal(pc.utf8_trim_whitespace(ids), "").to_numpy(zero_copy_only=False)
    )
    if len(blank):
        raise UserError(f"{origin.row(int(blank[0]))}, column {column!r}: the name is blank.")
    codes = pc.dictionary_encode(ids).indices.to_numpy(zero_copy_only=False)
    first = np.unique(codes, return_index=True)[1]
    if len(first) < len(codes):
        repeated = np.setdiff1d(np.arange(len(codes)), first)
        earlier = int(np.flatnonzero(codes == codes[repeated[0]])[0])
        raise UserError(
            f"{origin.row(int(repeated[0]))}, column {column!r}: {ids[int(repeated[0])].as_py()!r} "
            f"is already in row {earlier + 1}; {len(repeated):,} rows name an image again. Give "
            "each image a single row (several labels: data.label_separator)."
        )


def _parts(table: pa.Table, column: str | None, origin: TableOrigin) -> np.ndarray:
    """The index in SPLITS of each row; all are train where no column says otherwise."""
    if column is None:
        return np.zeros(table.num_rows, np.int8)
    texts = pc.fill_null(table[column].combine_chunks().cast(pa.string()), "")
    encoded = pc.dictionary_encode(texts)
    words = [SPLIT_WORDS.get(w.strip().lower(), "") for w in encoded.dictionary.to_pylist()]
    meaning = np.array([SPLITS.index(word) if word else -1 for word in words], np.int8)
    part = meaning[encoded.indices.to_numpy(zero_copy_only=False)]
    unknown = np.flatnonzero(part < 0)
    if len(unknown):
        raise UserError(
            f"{origin.row(int(unknown[0]))}, column {column!r}: expected train, val or test, but "
            f"got {texts[int(unknown[0])].as_py()!r}."
        )
    if not (part == SPLITS.index("train")).any():
        raise UserError(f"{origin.name}, column {column!r}: no row is in train.")
    return part


def _groups(table: pa.Table, column: str, origin: TableOrigin) -> np.ndarray:
    values = table[column].combine_chunks()
    texts = pc.fill_null(values.cast(pa.string()), "")
    empty = np.flatnonzero(pc.equal(texts, "").to_numpy(zero_copy_only=False))
    if len(empty):
        raise UserError(f"{origin.row(int(empty[0]))}, column {column!r}: the group is missing.")
    return pc.dictionary_encode(texts).indices.to_numpy(zero_copy_only=False)


def _compact(table: pa.Table) -> pa.Table:
    """The same with text in dictionaries: a column of few different words costs little."""
    encoded = [
        pc.dictionary_encode(c.combine_chunks()) if pa.types.is_string(c.type) else c
        for c in table.columns
    ]
    return pa.table(dict(zip(table.column_names, encoded, strict=True)))
