"""Scores in timm's form, sorted by probability in each row: with names, or places of classes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.tables.files import as_text
from sightline.errors import UserError
from sightline.importing.foreign_table import ForeignTable, numbers, shown
from sightline.importing.score_forms import NamedScores
from sightline.importing.settings import Kind

INDEX = "index"  # of a column of places; timm's --include-index


def in_numbered_columns(
    table: ForeignTable, pairs: Sequence[tuple[str, str]], kind: Kind | None,
    classes: tuple[str, ...],
) -> NamedScores:  # fmt: skip
    """label_0, prob_0, label_1, prob_1, ...; or index_0, prob_0, ....

    Args:
        table: that has the columns.
        pairs: the columns of a name and of its number.
        kind: as the columns of numbers are called.
        classes: as they are given, for places.
    """
    cells, rows = table.table, np.tile(np.arange(len(table.ids)), len(pairs))
    names = pa.concat_arrays([as_text(cells[name]).combine_chunks() for name, _ in pairs])
    values = [numbers(table, cells[value], f"column {shown(value)}") for _, value in pairs]
    form = f"the columns {pairs[0][0]}, {pairs[0][1]}, …"
    places = pairs[0][0].lower().startswith(INDEX)
    if places:
        names = named_places(table, rows, names, classes, form)
    flat = pa.concat_arrays(values).to_numpy()
    return NamedScores(table, rows, names, flat, kind, form, by_place=places)


def named_places(
    table: ForeignTable, rows: np.ndarray, places: pa.Array, classes: tuple[str, ...], form: str
) -> pa.Array:
    """The names of places in the model's outputs.

    Args:
        table: for messages.
        rows: of each place, shape (M,).
        places: M whole numbers, also as text.
        classes: the names in the order of the outputs.
        form: in words.

    Raises:
        UserError: the names are not given, or there are fewer than a place says.
    """
    if not classes:
        raise UserError(
            f"{table.file}: {form} has places of classes, not their names. Give the names in the "
            "order of the model's outputs: classes=[NAME,NAME,...]."
        )
    known: Mapping[str, str] = {str(place): name for place, name in enumerate(classes)}
    texts = as_text(places) if not pa.types.is_string(places.type) else places
    texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    found = pc.dictionary_encode(pc.fill_null(texts, ""))
    names = [known.get(each) for each in found.dictionary.to_pylist()]
    if None in names:
        wrong = int(np.flatnonzero(found.indices.to_numpy() == names.index(None))[0])
        raise UserError(
            f"{table.row(int(rows[wrong]))}: {form} has the class {shown(texts[wrong].as_py())}; "
            f"expected 0 to {len(classes) - 1}, places in the {len(classes)} names of classes=."
        )
    return pa.array(names, pa.string()).take(found.indices)
