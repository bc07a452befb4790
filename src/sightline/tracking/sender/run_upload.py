"""The upload of one run: stream by stream, each resumed from its recorded position."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

from sightline.config.schema import TrackingConfig
from sightline.io.atomic import fsync_file
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import JournalWriter
from sightline.runs.journal.records import EntriesRecord, ModelRecord, Record, RefusedRecord
from sightline.runs.journal.upload import UploadStream, recorded_uri
from sightline.tracking.mlflow.batches import merge
from sightline.tracking.mlflow.delivery import Delivery
from sightline.tracking.mlflow.store import Store, open_store

log = logging.getLogger(__name__)


class RunUpload:
    """Uploads the journal of one run; several threads may upload a stream each.

    Args:
        folder: the run's own folder.
        config: names the store.
        open_: opens the store.

    Attributes:
        position: the offset of each stream after its last uploaded record, and the run's ids.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: TrackingConfig,
        open_: Callable[[TrackingConfig], Store] = open_store,
    ) -> None:
        self.folder = folder
        self.config = config
        self.streams = folder.upload.streams
        self.position: dict[str, Any] = {}
        self._open = open_
        self._store: Store | None = None
        self._delivery: Delivery | None = None
        self._reached: dict[str, int] = {}  # by stream, beyond records of other streams
        self._lock = threading.RLock()
        self.resume()

    def resume(self) -> None:
        """Resume from the recorded position; of another address's store from the start."""
        with self._lock:
            self.position = self.folder.upload.position_in(self.config.uri)
            self._reached, self._delivery = {}, None

    def restart(self) -> None:
        """Upload everything from the start; what is in the store already stays as it is."""
        with self._lock:
            self.position, self._reached, self._delivery = {}, {}, None

    def upload_all(self) -> int:
        """Upload all pending records, those first that others wait for.

        Returns:
            how many are left: they wait for records that the journal does not have.

        Raises:
            one of UPLOAD_ERRORS: some records were not uploaded; a retry resumes with them.
            JournalFormatError: the journal is of another version.
        """
        before, left = -1, self.count_pending()
        while left not in (0, before):
            for stream in self.streams:
                self.upload(stream)
            before, left = left, self.count_pending()
        return left

    def count_pending(self) -> int:
        """How many records are not in this store."""
        return self.folder.upload.count_pending(self.position)

    def upload(self, stream: UploadStream) -> bool:
        """Upload the pending records of a stream; False where it waits for another stream.

        Raises:
            one of UPLOAD_ERRORS: some records were not uploaded; a retry resumes with them.
            JournalFormatError: the journal is of another version.
            LockLostError: another process took the run's folder over.
        """
        begin = reached = self._begin(stream)

        def own() -> Iterator[tuple[Record, int]]:
            nonlocal reached
            for record, end in stream.read(begin):
                if record is not None:
                    yield record, end
                reached = end

        for records, end in merge(own()):
            if stream.name != "journal" and "run_id" not in self.position:
                return False
            # A model links the run's metrics, which were logged before it.
            if isinstance(records[0], ModelRecord) and self._reached.get("journal", 0) < end:
                return False
            delivery = self.delivery()
            self.folder.check_held()
            refused = delivery.upload(records)
            fsync_file(stream.path)  # the position must not be ahead of the journal on the disk
            self._record(stream, end, delivery, refused)
        self._reached[stream.name] = reached
        return True

    def _begin(self, stream: UploadStream) -> int:
        return max(self.position.get(stream.name, 0), self._reached.get(stream.name, 0))

    def open(self) -> Store:
        """The store, opened at the first call.

        Raises:
            UserError: it does not answer.
        """
        with self._lock:
            if self._store is None:
                self._store = self._open(self.config)
            return self._store

    def delivery(self) -> Delivery:
        """The run in its store, which is opened at the first call.

        Raises:
            one of UPLOAD_ERRORS: the store does not answer, or the run was deleted.
        """
        with self._lock:
            if self._delivery is None:
                store, run_id = self.open(), self.position.get("run_id")
                if not self.position:
                    self.folder.upload.refused.unlink(missing_ok=True)
                    run_id = self._evaluated_run()
                self._delivery = Delivery(store, self.folder, run_id, self.config.register_as)
            return self._delivery

    def _evaluated_run(self) -> str | None:
        """The run that the folder of an evaluation belongs to: it has none of its own to create."""
        of_its_own = self.folder.is_launched or self.folder.state.name is not None
        return None if of_its_own else self.folder.upload.position().get("run_id")

    def _record(
        self, stream: UploadStream, end: int, delivery: Delivery, refused: list[tuple[Record, str]]
    ) -> None:
        """Record the new position of a stream, and the records that MLflow refuses."""
        with self._lock:
            self.folder.check_held()
            if refused:
                self._record_refused(refused)
            self.position |= {
                stream.name: end,
                "run_id": delivery.run_id,
                "experiment_id": delivery.experiment_id,
                "uri": recorded_uri(self.config.uri),
            }
            try:
                self.folder.upload.write_position(self.position)
            except OSError as error:  # a full disk: the next sender uploads the records again
                log.warning("%s: the upload position cannot be written (%s).",
                            self.folder, error.strerror)  # fmt: skip

    def _record_refused(self, refused: list[tuple[Record, str]]) -> None:
        journal = JournalWriter(self.folder.upload.refused)
        for record, why in refused:
            journal.append(RefusedRecord(why=why, record=record.to_json()))
        journal.close()
        log.warning("MLflow refuses %s: %s (%d in all, in %s).",
                    _brief(refused[0][0]), refused[0][1], len(refused),
                    self.folder.upload.refused)  # fmt: skip


def _brief(record: Record) -> str:
    """The content of a record, in a few words."""
    if isinstance(record, EntriesRecord):
        return f"{record.op} {', '.join(record.entries)}"[:200]
    return f"{record.op} {getattr(record, 'path', '')}".strip()
