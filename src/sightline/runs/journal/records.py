"""The records of a journal: one class an operation, checked when they are read.

A record is stored as JSON with its operation under `op`. Stored names never change: where a field
has another name here than in the file, `stored_names` holds the latter.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, ClassVar, Self

from pydantic import TypeAdapter, ValidationError


class UnknownRecordError(ValueError):
    """A record of an operation, or with fields, that this version does not know."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One entry of a journal.

    Attributes:
        time_ms: when it was logged, milliseconds since 1970.
    """

    op: ClassVar[str]
    stored_names: ClassVar[Mapping[str, str]] = {}
    time_ms: int = field(default_factory=lambda: int(time.time() * 1000))

    def to_json(self) -> dict[str, Any]:
        """Plain containers, under the names that the file has."""
        names = self.stored_names
        return {"op": self.op} | {names.get(key, key): value for key, value in vars(self).items()}


@dataclass(frozen=True, kw_only=True)
class RunRecord(Record):
    """The start of a run: its name, and its first tags."""

    op = "run"
    name: str
    tags: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class StatusRecord(Record):
    """RUNNING, FINISHED, FAILED or KILLED."""

    op = "status"
    status: str


@dataclass(frozen=True, kw_only=True)
class EntriesRecord(Record):
    """Entries that MLflow takes in one request, together with those of neighbours."""

    @property
    def entries(self) -> dict[str, Any]:
        """Key to value."""
        found: dict[str, Any] = getattr(self, self.op)
        return found

    def part(self, entries: dict[str, Any]) -> Self:
        """The same record with these entries alone."""
        changes: dict[str, Any] = {self.op: entries}
        return replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class ParamsRecord(EntriesRecord):
    """Parameters."""

    op = "params"
    params: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class TagsRecord(EntriesRecord):
    """Tags; a later value of a key replaces an earlier one."""

    op = "tags"
    tags: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class MetricsRecord(EntriesRecord):
    """Metrics at one step."""

    op = "metrics"
    metrics: dict[str, float]
    step: int


@dataclass(frozen=True, kw_only=True)
class DatasetsRecord(Record):
    """The data sets that a run reads: the fields of MLflow's `Dataset`, and its context."""

    op = "datasets"
    datasets: list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class ArtifactRecord(Record):
    """A file of the run's folder, under the same path in MLflow; older ones have no digest."""

    op = "artifact"
    path: str
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImageRecord(Record):
    """A PNG of the run's folder, one step of a series of images."""

    op = "image"
    path: str
    key: str
    step: int
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class ModelRecord(Record):
    """A checkpoint that becomes an MLflow model.

    Attributes:
        checkpoint: the file, relative to the run's folder.
        class_names: of the columns that the model answers with.
        multi_label: whether an image can have any number of labels.
        plugins: packages that the model may be built with.
        epoch: of the checkpoint, from 0.
        columns: further ones that it answers with: boolean, double or texts, by name.
    """

    op = "model"
    stored_names = {"multi_label": "several_labels"}  # noqa: RUF012  (a ClassVar of the base)
    checkpoint: str
    class_names: list[str]
    multi_label: bool
    plugins: list[str]
    epoch: int
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ViewRecord(Record):
    """A saved view of the experiment's runs."""

    op = "view"
    key: str
    view: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RefusedRecord(Record):
    """A record that MLflow refuses, with its reason."""

    op = "refused"
    why: str
    record: dict[str, Any]


TYPES: dict[str, type[Record]] = {
    kind.op: kind
    for kind in (
        RunRecord, StatusRecord, ParamsRecord, TagsRecord, MetricsRecord, DatasetsRecord,
        ArtifactRecord, ImageRecord, ModelRecord, ViewRecord, RefusedRecord,
    )
}  # fmt: skip
FILES = (ArtifactRecord, ImageRecord, ModelRecord)  # records that name a file


def from_json(stored: Mapping[str, Any]) -> Record:
    """The record that `to_json` gave.

    Raises:
        UnknownRecordError: names the operation, or the field and its value.
    """
    kind = TYPES.get(str(stored.get("op")))
    if kind is None:
        raise UnknownRecordError(f"the operation {stored.get('op')!r}")
    names = {name: ours for ours, name in kind.stored_names.items()}
    values = {names.get(key, key): value for key, value in stored.items() if key != "op"}
    unknown = values.keys() - kind.__dataclass_fields__.keys()
    if unknown:
        raise UnknownRecordError(f"the field {min(unknown)!r} of the operation {kind.op!r}")
    try:
        return _adapter(kind.op).validate_python(values)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        where = f"{place} of the operation {kind.op!r}"
        raise UnknownRecordError(f"{where}: {problem['msg']}") from error


@cache
def _adapter(op: str) -> TypeAdapter[Record]:
    return TypeAdapter(TYPES[op])
