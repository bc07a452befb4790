"""The upload of a run's journal: how far each stream of records got, to where, and what is left."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from sightline.config.schema import TrackingConfig
from sightline.errors import DamagedError
from sightline.io.sealed import read_sealed, write_sealed
from sightline.io.secrets import hide_password
from sightline.paths import default_store
from sightline.runs.journal.file import JournalFormatError, read_journal
from sightline.runs.journal.records import FILES, Record, RunRecord
from sightline.tracking.mlflow.tags import RUN_KEY

log = logging.getLogger(__name__)

WORDS = ("run_id", "experiment_id", "uri", "experiment", "register_as")  # that files name
POSITION, DESTINATION = "sent.json", "store.json"


@dataclass(frozen=True)
class UploadStream:
    """Records that are uploaded in their order; a large file does not hold up the metrics.

    Attributes:
        name: under which its position is stored.
        path: the journal.
        files: whether it takes the journal's files, or all other records.
    """

    name: str
    path: Path
    files: bool = False

    def read(self, offset: int) -> Iterator[tuple[Record | None, int]]:
        """Each record of the journal from `offset` on; None for one of another stream."""
        for record, end in read_journal(self.path, offset):
            yield record if isinstance(record, FILES) == self.files else None, end

    def size(self) -> int:
        """Of the journal, in bytes."""
        return self.path.stat().st_size if self.path.is_file() else 0


@dataclass(frozen=True)
class RunLocation:
    """The place of a run in MLflow."""

    run_id: str
    experiment_id: str
    uri: str


class UploadState:
    """What of a run was uploaded, in the folder `tracking` of the run's own.

    Args:
        folder: that folder.

    Attributes:
        journal: the training's records.
        system_journal: metrics of the machine.
        refused: records that MLflow refuses, with the reasons.
        streams: the streams of records.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._warned: set[str] = set()
        self.journal = folder / "journal.jsonl"
        self.system_journal = folder / "system.jsonl"
        self.refused = folder / "refused.jsonl"
        self.streams = (
            UploadStream("journal", self.journal),
            UploadStream("system", self.system_journal),
            UploadStream("files", self.journal, files=True),
        )

    def position(self) -> dict[str, Any]:
        """The offset of each stream, in bytes, and the run's ids in MLflow.

        Empty where the file is damaged: what is uploaded again does no harm. A stream whose journal
        lost its end begins anew.
        """
        position = self._read(POSITION, "All records are uploaded again, which does no harm.")
        for stream in self.streams:
            offset = position.pop(stream.name, None)
            if isinstance(offset, int) and 0 < offset <= stream.size():
                position[stream.name] = offset
        return position

    def write_position(self, position: dict[str, Any]) -> None:
        """Record how far the run was uploaded."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write(POSITION, position)

    @property
    def location(self) -> RunLocation | None:
        """The place of the run in MLflow; None where it was not uploaded."""
        position = self.position()
        place = [position.get(key) for key in ("run_id", "experiment_id", "uri")]
        return RunLocation(*map(str, place)) if all(place) else None

    def destination(self) -> dict[str, Any]:
        """Where the run is uploaded to: `uri` (passwords hidden), `experiment`, `register_as`."""
        return self._read(DESTINATION, "The store of the run's config is taken.")

    def write_destination(self, config: TrackingConfig) -> None:
        """Record where the run is uploaded to."""
        assert config.uri is not None
        destination = {
            "uri": hide_password(config.uri),
            "experiment": config.experiment,
            "register_as": config.register_as,
        }
        self._write(DESTINATION, destination)

    def position_in(self, uri: str | None) -> dict[str, Any]:
        """The position in a store; empty where the run was last uploaded to another address.

        Two addresses may lead to one store. It then gets every record again, which changes nothing.

        Args:
            uri: of the store; None for the project's own.
        """
        position = self.position()
        return position if position.get("uri") in (None, recorded_uri(uri)) else {}

    def count_pending(self, position: Mapping[str, Any] | None = None) -> int:
        """How many records were not uploaded; position: from there, not from the recorded one."""
        if position is None:
            position = self.position()
        return sum(
            record is not None
            for stream in self.streams
            for record, _ in stream.read(position.get(stream.name, 0))
        )

    def count_refused(self) -> int:
        """How many records MLflow refuses."""
        return sum(1 for _ in read_journal(self.refused))

    def lock(self, timeout_s: float) -> FileLock:
        """Held by the one process that uploads this run; a negative timeout waits for ever."""
        return FileLock(self.folder / "sender.lock", timeout=timeout_s)

    def _write(self, name: str, facts: dict[str, Any]) -> None:
        write_sealed(self.folder / name, facts | {RUN_KEY: self._run_key()})

    def _read(self, name: str, consequence: str) -> dict[str, Any]:
        """The facts of a file of this run; empty where there is none, or it is damaged."""
        path = self.folder / name
        try:
            facts = read_sealed(path)
            key = facts.pop(RUN_KEY, None)
            if key is not None and key != (self._run_key() or key):
                raise DamagedError(path, "it is of another run")
            wrong = [each for each in WORDS if not isinstance(facts.get(each), str | None)]
            if wrong:
                raise DamagedError(path, f"its {wrong[0]} is no text")
        except OSError:
            return {}
        except DamagedError as error:
            if name not in self._warned:
                log.warning("%s%s", error, consequence)
            self._warned.add(name)
            return {}
        return facts

    def _run_key(self) -> str | None:
        """The key in the journal's first record; None where it has none."""
        try:
            record, _ = next(read_journal(self.journal), (None, 0))
        except JournalFormatError:
            return None
        return record.tags.get(RUN_KEY) if isinstance(record, RunRecord) else None


def recorded_uri(uri: str | None) -> str:
    """A store's address as positions name it: of a file the whole path, never with a password."""
    uri = uri or default_store()
    if uri.startswith("sqlite:///"):
        uri = f"sqlite:///{Path(uri.removeprefix('sqlite:///')).absolute()}"
    return hide_password(uri)
