"""Several labels a cell."""

import json

import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.tables.files import LabelTable, as_text
from sightline.errors import UserError


def as_lists(rows: LabelTable, column: str, values: pa.Array, separator: str | None) -> pa.Array:
    """The labels of each row: of cells with a separator, of JSON lists, or of lists.

    Raises:
        UserError: cells are of another form; names the row.
    """
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        if separator is not None:
            raise UserError(
                f"data.label_separator={separator!r} has no effect: the cells of {column!r} are "
                "lists. Leave it out."
            )
        return values.cast(pa.list_(values.type.value_type)).fill_null([])
    texts = as_text(values)
    if separator is not None:
        return pc.split_pattern(texts, separator)
    if not pc.all(pc.or_(pc.starts_with(texts, "["), pc.equal(texts, ""))).as_py():
        raise UserError(
            f"{rows.origin.row(0)}, column {column!r}: label_mode=multilabel needs several labels "
            "a cell: give what stands between them with data.label_separator, write JSON lists "
            '(["dog", "cat"]), or name 0/1 columns with data.label_columns=[...].'
        )
    lists = []
    for index, text in enumerate(texts.to_pylist()):
        try:
            lists.append([str(label) for label in (json.loads(text) if text else [])])
        except ValueError as error:
            raise UserError(
                f"{rows.origin.row(index)}, column {column!r}: not a JSON list: {text!r}."
            ) from error
    return pa.array(lists, pa.list_(pa.string()))
