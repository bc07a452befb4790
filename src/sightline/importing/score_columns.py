"""Search for the scores in a table: the forms of timm, Ultralytics, Hugging Face and Sightline."""

import json
import re
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.tables.files import as_text
from sightline.errors import UserError
from sightline.importing.foreign_table import ForeignTable, numbers, shown
from sightline.importing.list_cells import finite_values, list_columns, rows_of
from sightline.importing.numbered_columns import INDEX, in_numbered_columns, named_places
from sightline.importing.score_forms import (
    FULL,
    ColumnScores,
    NamedScores,
    Scores,
    UnnamedScores,
)
from sightline.importing.settings import Kind

# What a column is called whose numbers are of one kind; alone, or before the name of a class.
WORDS: Final[dict[str, Kind | None]] = {
    **dict.fromkeys(("prob", "probs", "proba", "probability", "probabilities", "confidence", "p"),
                    "probabilities"),
    **dict.fromkeys(("logit", "logits"), "logits"),
    **dict.fromkeys(("score", "scores", "output", "outputs", "pred", "preds", "prediction",
                     "predictions", "results"), None),
}  # fmt: skip
NAMES = ("label", "labels", "name", "class_name", "class")
PREFIXED = re.compile(rf"({'|'.join(sorted(WORDS, key=len, reverse=True))})[_.:/ ](.+)", re.I)
NUMBERED = re.compile(r"(?:label|class|name|index)_(\d+)", re.I)


def find_scores(table: ForeignTable, classes: tuple[str, ...]) -> Scores:
    """The scores of a table.

    Args:
        table: whose ids are known.
        classes: names of numbers that the table does not name, in their order; empty: it does.

    Raises:
        UserError: the table holds no numbers in a known form, or `classes` has no effect.
    """
    lists = list_columns(table)
    found = _in_structs(table, lists) or _in_lists(table, lists, classes) or _sorted(table, classes)
    found = found or _in_columns(table, classes)
    if found is None:
        raise UserError(
            f"{table.file}: no scores were found. Expected a column a class, called as the class, "
            "or prob_CLASS or logit_CLASS; a list of numbers a row (probs, logits); or a list of "
            "objects with label and score."
        )
    named = isinstance(found, ColumnScores) or (
        isinstance(found, NamedScores) and not found.by_place
    )
    if classes and named:
        raise UserError(f"classes: {found.form} of {table.file} names its classes; leave it out.")
    return found


def _in_structs(table: ForeignTable, lists: dict[str, pa.ListArray]) -> Scores | None:
    """[{"label": "cat", "score": 0.9}, ...], of a pipeline or of Ultralytics' `summary`."""
    for column, cells in lists.items():
        if not pa.types.is_struct(cells.type.value_type):
            continue
        flat = pc.list_flatten(cells)
        fields = {field.name.lower(): field.name for field in flat.type}
        name = next((fields[each] for each in NAMES if each in fields), None)
        value = next((each for each in WORDS if each in fields), None)
        if name is None or value is None:
            continue
        form = f"the list of objects in {shown(column)}"
        labels, values = pc.struct_field(flat, name), pc.struct_field(flat, fields[value])
        return _named(table, rows_of(cells), labels, values, WORDS[value], form)
    return None


def _in_lists(
    table: ForeignTable, lists: dict[str, pa.ListArray], classes: tuple[str, ...]
) -> Scores | None:
    """A list of numbers a row, beside a list of their names in timm's form."""
    for column, cells in lists.items():
        kind = cells.type.value_type
        if column.lower() not in WORDS or not (pa.types.is_floating(kind) or _is_int(kind)):
            continue
        scores, form = WORDS[column.lower()], f"the list in {shown(column)}"
        flat, rows = pc.list_flatten(cells), rows_of(cells)
        for other, names in lists.items():
            texts = pa.types.is_string(names.type.value_type) and other.lower() in NAMES
            if texts and names.value_lengths().equals(cells.value_lengths()):
                found = _named(table, rows, pc.list_flatten(names), flat, scores, form)
                return replace(found, names_column=other)
        index = next((each for name, each in lists.items() if name.lower() == INDEX), None)
        if index is not None and index.value_lengths().equals(cells.value_lengths()):
            places = named_places(
                table, rows, pc.list_flatten(index), classes, f"{INDEX} of {form}"
            )
            return replace(_named(table, rows, places, flat, scores, form), by_place=True)
        lengths = cells.value_lengths().to_numpy()
        if (lengths != lengths[0]).any():
            row = int(np.flatnonzero(lengths != lengths[0])[0])
            raise UserError(
                f"{table.row(row)}: {form} has {lengths[row]} numbers, and {lengths[0]} in row 1."
            )
        values = finite_values(table, rows, flat, form).reshape(len(table.ids), int(lengths[0]))
        return UnnamedScores(table, values, classes or _stored_names(table), scores, form)
    return None


def _sorted(table: ForeignTable, classes: tuple[str, ...]) -> Scores | None:
    """label_0, prob_0, label_1, prob_1, ... (or index_0): timm's, sorted in each row."""
    found = [match for name in table.others if (match := NUMBERED.fullmatch(name))]
    named = [match for match in found if not match[0].lower().startswith(INDEX)]
    pairs, word = [], ""
    for match in sorted(named or found, key=lambda each: int(each[1])):
        own = [(name, each[1].lower()) for name in table.others
               if (each := PREFIXED.fullmatch(name)) and each[2] == match[1]]  # fmt: skip
        pairs += [(match[0], name) for name, _ in own[:1]]
        word = word or (own[0][1] if own else "")
    return in_numbered_columns(table, pairs, WORDS[word], classes) if pairs else None


def _in_columns(table: ForeignTable, classes: tuple[str, ...]) -> Scores | None:
    """prob_CLASS, logit_CLASS, or a column that is called as the class."""
    prefixed: dict[str, dict[str, str]] = {}
    for name in table.others:
        if match := PREFIXED.fullmatch(name):
            prefixed.setdefault(match[1].lower(), {})[match[2]] = name
    if prefixed:
        word = max(prefixed, key=lambda each: (len(prefixed[each]), WORDS[each] is not None))
        columns = prefixed[word]
        form = f"the columns {next(iter(columns.values()))}, …"
        if classes and all(map(str.isdigit, columns)):
            return _in_order(table, columns, WORDS[word], form, classes)
        return ColumnScores(table, columns, WORDS[word], form, all_are_classes=True)
    alone = [name for name in table.others if name.lower() in WORDS]
    alone.sort(key=lambda name: WORDS[name.lower()] is None)
    if alone and len(table.others) == 1:
        name = alone[0]
        values = numbers(table, table.table[name], f"column {shown(name)}").to_numpy()[:, None]
        return UnnamedScores(table, values, classes, WORDS[name.lower()], f"column {shown(name)}")
    if alone:
        beside = ", ".join(shown(name) for name in table.others[:5] if name != alone[0])
        raise UserError(
            f"{table.file}: one number a row, in {shown(alone[0])}, beside {beside}: that is of "
            f"the decided class alone. {FULL}"
        )
    columns = {name: name for name in table.others}
    if classes and columns and all(map(str.isdigit, columns)):
        return _in_order(table, columns, None, "its columns", classes)
    return ColumnScores(table, columns, None, "its columns", False) if columns else None


def _in_order(
    table: ForeignTable, columns: dict[str, str], kind: Kind | None, form: str,
    classes: tuple[str, ...],
) -> UnnamedScores:  # fmt: skip
    """Columns by numbers, which are places in the classes that are given."""
    order = [columns[number] for number in sorted(columns, key=int)]
    cells = [numbers(table, table.table[name], f"column {shown(name)}") for name in order]
    values = np.stack([each.to_numpy(zero_copy_only=False) for each in cells], axis=1)
    return UnnamedScores(table, values, classes, kind, form)


def _named(
    table: ForeignTable, rows: np.ndarray, names: pa.Array, values: pa.Array, kind: Kind | None,
    form: str,
) -> NamedScores:  # fmt: skip
    return NamedScores(
        table, rows, as_text(names), finite_values(table, rows, values, form), kind, form
    )


def _is_int(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind))


def _stored_names(table: ForeignTable) -> tuple[str, ...]:
    """The names of the classes as `datasets` stores them with a column of ClassLabel."""
    try:
        about = json.loads((table.table.schema.metadata or {}).get(b"huggingface", b"{}"))
        features = about["info"]["features"].values()
        names = next(each["names"] for each in features if each.get("_type") == "ClassLabel")
        return tuple(map(str, names))
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration, RecursionError):
        return ()
