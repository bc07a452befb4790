"""The product of a run: one table of sample id, target and class probabilities for each split."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import DamagedError
from sightline.io.declared_size import read_parquet
from sightline.types import MISSING

METADATA_KEY = b"sightline"
META = "meta_"
MOST = 1 + 1e-5  # of a probability: a mean of several in float32 is not exact


@dataclass(frozen=True)
class Predictions:
    """Every metric, curve and matrix is a pure function of this table.

    Attributes:
        ids: shape (N,), the path relative to the data root, or the row's key.
        targets: shape (N,), the class index, for binary and multiclass; (N, L) of 0 and 1 for
            multilabel, -1 where a label is not known.
        probs: shape (N, C), float32 in [0, 1], one column a class name; before calibration. A
            binary table has both classes, the negative one first; rows sum to 1 except for
            multilabel.
        class_names: the C names.
        label_mode: name of the label mode.
        metadata: further columns of the data by name, each of shape (N,): text or numbers.
        groups: shape (N,), int64: samples of one code belong together (a patient, a video) and are
            not independent of each other; None where each sample is by itself.
    """

    ids: np.ndarray
    targets: np.ndarray
    probs: np.ndarray
    class_names: tuple[str, ...]
    label_mode: str
    metadata: dict[str, np.ndarray] = field(default_factory=dict)
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: np.ndarray | slice) -> Self:
        """The samples of some rows, in their order; an index given twice is there twice."""
        return replace(
            self,
            ids=self.ids[rows],
            targets=self.targets[rows],
            probs=self.probs[rows],
            metadata={name: column[rows] for name, column in self.metadata.items()},
            groups=None if self.groups is None else self.groups[rows],
        )

    def write(self, path: Path) -> None:
        """Write as Parquet: `id`, `target`, `prob_CLASS`; for multilabel `target_LABEL` columns,
        null where a label is not known; `meta_NAME` for each metadata column; `group`."""
        columns: dict[str, object] = {"id": pa.array(self.ids.tolist(), pa.string())}
        if self.targets.ndim == 1:
            columns["target"] = self.targets.astype(np.int64)
        else:
            for name, column in zip(self.class_names, self.targets.T, strict=True):
                columns[f"target_{name}"] = pa.array(column.astype(np.int8), mask=column < 0)
        for name, column in zip(self.class_names, self.probs.T, strict=True):
            columns[f"prob_{name}"] = np.ascontiguousarray(column)
        for name, column in self.metadata.items():
            columns[f"{META}{name}"] = pa.array(column.tolist())
        if self.groups is not None:
            columns["group"] = pa.array(self.groups, pa.int64())
        meta = json.dumps({"class_names": self.class_names, "label_mode": self.label_mode})
        table = pa.table(columns).replace_schema_metadata({METADATA_KEY: meta.encode()})
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, write_page_checksum=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The inverse of `write`.

        Raises:
            DamagedError: the file is damaged, or no such table.
            UserError: it does not fit into the free memory.
        """
        table = read_parquet(path)
        try:
            found = cls._of_columns(table)
            found._check_values()
            return found
        except (LookupError, TypeError, ValueError) as error:
            raise DamagedError(path, f"it is no table of predictions ({error})") from error

    def _check_values(self) -> None:
        """Refuse what no run writes, which would make each number of it wrong."""
        if len(set(self.class_names)) < len(self.class_names) or not isinstance(
            self.label_mode, str
        ):
            raise ValueError("its classes or its label mode are no names")
        if self.probs.dtype.kind != "f" or not ((self.probs >= 0) & (self.probs <= MOST)).all():
            raise ValueError("a probability is not from 0 to 1")
        classes = 2 if self.targets.ndim == 2 else len(self.class_names)
        whole = self.targets.dtype.kind in "iu"
        if not whole or not ((self.targets >= MISSING) & (self.targets < classes)).all():
            raise ValueError("a target is of no class")

    @classmethod
    def _of_columns(cls, table: pa.Table) -> Self:
        meta = json.loads(table.schema.metadata[METADATA_KEY])
        names = tuple(meta["class_names"])

        def stack(prefix: str) -> np.ndarray:
            columns = [table[f"{prefix}_{name}"].fill_null(-1).to_numpy() for name in names]
            return np.stack(columns, axis=1)

        if "target" in table.column_names:
            targets = table["target"].to_numpy().copy()  # a view is not to be written to
        else:
            targets = stack("target").astype(np.int64)
        ids = np.array(table["id"].to_pylist(), dtype=str)
        metadata = {
            name.removeprefix(META): _column(table[name])
            for name in table.column_names
            if name.startswith(META)
        }
        groups = table["group"].to_numpy() if "group" in table.column_names else None
        return cls(ids, targets, stack("prob"), names, meta["label_mode"], metadata, groups)


def with_columns(
    table: Predictions, metadata: pa.Table | None, groups: np.ndarray | None
) -> Predictions:
    """The same with the data's further columns and groups, whose rows are the table's."""
    columns = dict(table.metadata)
    if metadata is not None:
        columns |= {name: _column(metadata[name]) for name in metadata.column_names}
    return replace(table, metadata=columns, groups=groups)


def _column(values: pa.ChunkedArray) -> np.ndarray:
    """Text, empty where it is missing, or numbers, NaN where they are."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        values = values.cast(pa.string())
        return np.array(values.fill_null("").to_pylist(), dtype=str)
    array: np.ndarray = values.to_numpy()
    return array
