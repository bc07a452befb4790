"""A table that names image files and their labels: CSV, TSV, JSON lines or Parquet."""

import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.labels.columns import LabelColumns
from sightline.data.reading.images import FileImages
from sightline.data.source_data import SourceData
from sightline.data.sources.folder import existing_folder
from sightline.data.sources.image_paths import inside, local_paths, one_form, with_suffix
from sightline.data.sources.manifest_checks import check_columns_of
from sightline.data.tables.files import TableOrigin, existing_file, read_table
from sightline.data.tables.source import Columns, to_source


def read_manifest(
    multi_label: bool,
    path: str,
    root: str | None,
    image_column: str | None,
    image_suffix: str,
    label_column: str | None,
    label_separator: str | None,
    label_columns: list[str] | None,
    none_label: str | None,
    split_column: str | None,
    group_column: str | None,
    metadata_columns: list[str] | None,
    allow_outside: bool,
) -> SourceData:
    """One image a row.

    Args:
        multi_label: whether the label mode takes any number of labels an image.
        path: the table.
        root: the folder that image paths are relative to; None: the table's own.
        image_column: None: the first of image, path, file, filename, ... that is there.
        image_suffix: put behind each name that has no ending of its own, such as .jpg.
        label_column: one class name a cell, or several; None: label, labels, class or target.
        label_separator: stands between several labels of a cell; None: cells are JSON lists.
        label_columns: columns of 0 and 1, one a label; None: all such columns.
        none_label: the label that means none of the others, such as "No Finding".
        split_column: train, val or test; None: found by its name and values; `none`: splits made.
        group_column: rows of a group stay in one split.
        metadata_columns: further columns, for slices; None: all others.
        allow_outside: whether paths may lead out of `root`.

    Raises:
        UserError: names the file, the row and the column.
    """
    table = read_table(file := existing_file(path, "data.path"))
    base = file.parent if root is None else existing_folder(root, "data.root")
    origin = TableOrigin([str(file)], [table.num_rows])
    columns = Columns(split_column, group_column, metadata_columns)
    labels = LabelColumns(label_column, label_separator, label_columns, none_label)
    image_column = check_columns_of(
        table, base, image_column, image_suffix, columns, labels, origin
    )
    names = pc.fill_null(table[image_column].combine_chunks().cast(pa.string()), "")
    names = local_paths(with_suffix(names, image_suffix), base, origin, image_column)
    paths = names if allow_outside else inside(names, base, origin, image_column)
    return to_source(
        file.stem, str(file), table, paths, FileImages(base, paths), image_column,
        columns, labels, multi_label, origin, same=one_form(paths, base),
    )  # fmt: skip
