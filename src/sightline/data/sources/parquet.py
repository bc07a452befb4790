"""Parquet files with the images inside, such as Hugging Face data sets are published in."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.cache.mapped_tables import read_tables
from sightline.data.labels.columns import LabelColumns
from sightline.data.reading.images import BytesImages
from sightline.data.source_data import SPLIT_WORDS, SourceData
from sightline.data.sources.parquet_columns import with_like_columns
from sightline.data.tables.files import PARQUET, TableOrigin, require_column
from sightline.data.tables.source import Columns, to_source
from sightline.errors import UserError

SPLIT = "split"  # the column that file names are turned into


def read_parquet(
    multi_label: bool,
    path: str | list[str] | None,
    root: str | None,
    image_column: str,
    label_column: str | None,
    label_separator: str | None,
    label_columns: list[str] | None,
    none_label: str | None,
    split_column: str | None,
    group_column: str | None,
    metadata_columns: list[str] | None,
) -> SourceData:
    """One image a row, as bytes or as Hugging Face's {bytes, path}.

    Files called train*, val*, valid*, dev* and test* are those splits. Label names are read from
    Hugging Face's metadata in the schema.

    Args:
        multi_label: whether the label mode takes any number of labels an image.
        path: a file, a list of files, a folder, or a pattern such as data/train-*.parquet.
        root: a folder; the same as `path`.
        image_column: the column of images.
        label_column: see `read_manifest`, also for the arguments that follow.
        label_separator: between several labels of a cell.
        label_columns: columns of 0 and 1.
        none_label: the label that means none of the others.
        split_column: as in `read_manifest`; None: also by the names of the files.
        group_column: rows of a group stay in one split.
        metadata_columns: further columns, for slices.
    """
    tables = read_tables(files := parquet_files(path, root))
    named = [image_column, label_column, *(label_columns or []), split_column]
    required = [name for name in named if name]
    tables, notes = with_like_columns(tables, files, required)
    tables, split_column = _with_split_column(tables, files, split_column)
    origin = TableOrigin([str(file) for file in files], [len(table) for table in tables])
    pool = pa.concat_tables(tables, promote_options="permissive")
    require_column(pool, image_column, "data.image_column", str(files[0]))
    content, names = _images(pool[image_column], image_column, files, origin)
    label = label_column or ("label" if "label" in pool.column_names else None)
    name = files[0].parent.name if len(files) > 1 else files[0].stem
    source = to_source(
        name, str(files[0].parent), pool, names, BytesImages(content, names), image_column,
        Columns(split_column, group_column, metadata_columns),
        LabelColumns(label_column, label_separator, label_columns, none_label),
        multi_label, origin, _label_names(tables[0].schema, label),
    )  # fmt: skip
    return replace(source, notes=(*notes, *source.notes))


def _with_split_column(
    tables: list[pa.Table], files: list[Path], column: str | None
) -> tuple[list[pa.Table], str | None]:
    """The tables with a column SPLIT by the files' names, where these are of several splits."""
    splits = [_split_of(file) for file in files]
    if column is not None or not all(splits) or len(set(splits)) < 2:
        return tables, column
    with_split = [
        table.append_column(SPLIT, pa.array([split] * len(table), pa.string()))
        for table, split in zip(tables, splits, strict=True)
    ]
    return with_split, SPLIT


def parquet_files(path: str | list[str] | None, root: str | None) -> list[Path]:
    """The files that paths, folders and patterns mean, sorted; see `read_parquet`.

    Raises:
        UserError: one of them means no file, or both arguments are given.
    """
    if (path is None) == (root is None):
        raise UserError("data=parquet: give data.path=FILE, or data.root=FOLDER.")
    wanted = path if path is not None else [str(root)]
    found: list[Path] = []
    for each in [wanted] if isinstance(wanted, str) else wanted:
        place = Path(each).expanduser().absolute()
        if place.is_dir():
            files = sorted(p for ending in PARQUET for p in place.rglob(f"*{ending}"))
        elif "*" in each or "?" in each:
            anchor = Path(place.anchor)
            files = sorted(anchor.glob(str(place.relative_to(anchor))))
        else:
            files = [place] if place.is_file() else []
        if not files:
            raise UserError(f"data.path={each}: there is no Parquet file {place}.")
        found += files
    return found


def _split_of(file: Path) -> str | None:
    """The split that a file's name, or its folder's, begins with."""
    for name in (file.stem, file.parent.name):
        word = re.match(r"[A-Za-z]*", name)
        if word and word[0].lower() in SPLIT_WORDS:
            return SPLIT_WORDS[word[0].lower()]
    return None


def _images(
    column: pa.ChunkedArray, name: str, files: list[Path], origin: TableOrigin
) -> tuple[pa.ChunkedArray, pa.Array]:
    """The images' bytes, and names: FILE/ROW, with the image's own where it has one."""
    own: list[str | None] = [None] * len(column)
    if pa.types.is_struct(column.type):
        fields = {column.type.field(i).name for i in range(column.type.num_fields)}
        if "bytes" not in fields:
            raise UserError(f"data.image_column={name}: its cells have no field 'bytes'.")
        if "path" in fields:
            own = pc.struct_field(column, "path").to_pylist()
        column = pc.struct_field(column, "bytes")
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise UserError(
            f"data.image_column={name}: expected images as bytes, but the column holds "
            f"{column.type}. For a table that names files, use data=manifest."
        )
    return column, image_names(files, origin.lengths, own)


def image_names(files: list[Path], lengths: list[int], own: list[str | None]) -> pa.Array:
    """FILE/ROW of each row of several files, with the image's own name where it has one."""
    names = [
        f"{file.stem}/{row}"
        for file, rows in zip(files, lengths, strict=True) for row in range(rows)
    ]  # fmt: skip
    with_own = [f"{n}/{Path(o).name}" if o else n for n, o in zip(names, own, strict=True)]
    return pa.array(with_own, pa.string())


def _label_names(schema: pa.Schema, column: str | None) -> tuple[str, ...] | None:
    """Hugging Face's names of a ClassLabel column, or of a list of them."""
    metadata = (schema.metadata or {}).get(b"huggingface")
    if metadata is None or column is None:
        return None
    feature: Any = json.loads(metadata).get("info", {}).get("features", {}).get(column, {})
    feature = feature.get("feature", feature) if isinstance(feature, dict) else {}
    names = feature.get("names")
    if isinstance(names, dict):  # {"0": "cat", ...}
        names = [names[key] for key in sorted(names, key=int)]
    return tuple(map(str, names)) if names else None
