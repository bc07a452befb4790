"""Forms in which tables hold scores of classes: columns, lists, and lists of named scores.

The names of classes are those of the table, or given; a place alone is never taken for a class.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sightline.errors import UserError
from sightline.importing.foreign_table import ForeignTable, nearest, numbers, shown
from sightline.importing.settings import Kind

FULL = (
    "Every class needs its number: timm's inference.py gives all with --topk NUM_CLASSES, a "
    "pipeline of transformers with top_k=None, Ultralytics with result.probs.data."
)


@dataclass(frozen=True)
class ColumnScores:
    """One column a class.

    Attributes:
        table: that the columns are of.
        columns: names of the columns, by class.
        kind: as the prefix of the names says.
        form: in words.
        all_are_classes: whether the names say that each column is of a class.
    """

    table: ForeignTable
    columns: dict[str, str]
    kind: Kind | None
    form: str
    all_are_classes: bool

    def matrix(self, classes: Sequence[str]) -> np.ndarray:
        """The numbers of these classes, shape (N, C), double.

        Raises:
            UserError: the table has other classes, or not all of these.
        """
        unknown = [name for name in self.columns if name not in classes]
        missing = [name for name in classes if name not in self.columns]
        if missing or (unknown and self.all_are_classes):
            raise other_classes(self.table, missing, unknown, classes)
        cells = self.table.table
        found = [
            numbers(self.table, cells[self.columns[name]], f"column {shown(self.columns[name])}")
            for name in classes
        ]
        return np.stack([each.to_numpy(zero_copy_only=False) for each in found], axis=1)


@dataclass(frozen=True)
class NamedScores:
    """A list of named scores in each row, in any order.

    Attributes:
        table: that the lists are of.
        rows: shape (M,), the row of each score.
        names: M names.
        values: shape (M,), double.
        kind: as the names of the columns say.
        form: in words.
        names_column: the column of the names, where it is one of its own.
        by_place: whether the table has places, and the names were given.
    """

    table: ForeignTable
    rows: np.ndarray
    names: pa.Array
    values: np.ndarray
    kind: Kind | None
    form: str
    names_column: str | None = None
    by_place: bool = False

    def matrix(self, classes: Sequence[str]) -> np.ndarray:
        """The scores under their names."""
        encoded = self.names.dictionary_encode()
        known = {name: index for index, name in enumerate(classes)}
        there = encoded.dictionary.to_pylist()
        unknown = [name for name in there if name not in known]
        if unknown:
            missing = [name for name in classes if name not in set(there)]
            raise other_classes(self.table, missing, unknown, classes)
        place = np.array([known[name] for name in there], np.int64)
        cells = self.rows * len(classes) + place[encoded.indices.to_numpy()]
        counts = np.bincount(cells, minlength=len(self.table.ids) * len(classes))
        self._check(counts.reshape(-1, len(classes)), classes)
        found = np.empty(len(counts))
        found[cells] = self.values
        return found.reshape(-1, len(classes))

    def _check(self, counts: np.ndarray, classes: Sequence[str]) -> None:
        if (counts == 1).all():
            return
        row, column = (int(each[0]) for each in np.nonzero(counts != 1))
        if counts[row, column] > 1:
            raise UserError(f"{self.table.row(row)}: {shown(classes[column])} is there twice.")
        raise UserError(
            f"{self.table.row(row)}: there are scores of {(counts[row] > 0).sum()} of "
            f"{len(classes)} classes, none of {shown(classes[column])}. {FULL}"
        )


@dataclass(frozen=True)
class UnnamedScores:
    """A list of numbers in each row, without names.

    Attributes:
        table: that the lists are of.
        values: shape (N, K), double.
        names: of the K numbers, as given or as the file says; empty: not known.
        kind: as the name of the column says.
        form: in words.
    """

    table: ForeignTable
    values: np.ndarray
    names: tuple[str, ...]
    kind: Kind | None
    form: str

    def matrix(self, classes: Sequence[str]) -> np.ndarray:
        """The numbers of these classes, where their names are known."""
        count = self.values.shape[1]
        if count == 1 and len(classes) > 2:
            raise UserError(
                f"{self.table.file}: one number a row, in {self.form}, of {len(classes)} classes: "
                f"that is of the decided class alone. {FULL}"
            )
        if self._sorted():
            raise UserError(
                f"{self.table.file}: the numbers in {self.form} fall in every row: they are sorted "
                "by probability, and nothing says of which classes they are. timm's inference.py "
                "names them with --label-type name, or with --include-index and classes=[NAMES]."
            )
        if not self.names:
            raise UserError(
                f"{self.table.file}: {self.form} holds {count} numbers a row and does not name "
                f"their classes. Give their names in that order: classes=[{','.join(classes)}], if "
                "it is this one."
            )
        if len(self.names) != count or len(set(self.names)) < count:
            raise UserError(
                f"classes: {len(self.names)} names, {len(set(self.names))} of them different, for "
                f"{count} numbers a row in {self.form} of {self.table.file}."
            )
        unknown = [name for name in self.names if name not in classes]
        missing = [name for name in classes if name not in self.names]
        if unknown or missing:
            raise other_classes(self.table, missing, unknown, classes)
        return self.values[:, [self.names.index(name) for name in classes]]

    def _sorted(self) -> bool:
        """Whether every row falls, which is no chance: K! orders a row, e^30 in all."""
        rows, count = self.values.shape
        if count < 3 or rows * math.lgamma(count + 1) < 30 or (self.values == self.values[0]).all():
            return False
        return bool((np.diff(self.values, axis=1) <= 0).all())


Scores = ColumnScores | NamedScores | UnnamedScores


def other_classes(
    table: ForeignTable, missing: Sequence[str], unknown: Sequence[str], classes: Sequence[str]
) -> UserError:
    """The error for a table whose classes are not the data's."""
    words = []
    if missing:
        words.append(f"nothing of {_some(missing)}, which the data has")
    if unknown:
        near = nearest(unknown[0], classes)
        words.append(f"{_some(unknown)}, which the data does not have{near and ':' + near[:-1]}")
    return UserError(
        f"{table.file} is of other classes than the data: {'; '.join(words)}. Classes are matched "
        f"by name; the data's are {_some(classes, 20)}."
    )


def _some(names: Sequence[str], count: int = 3) -> str:
    more = f" and {len(names) - count:,} more" if len(names) > count else ""
    return ", ".join(map(shown, names[:count])) + more
