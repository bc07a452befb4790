"""One run's way to MLflow: stream by stream, each from where it was left, until all is brought."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from sightline.config.schema import TrackingConfig
from sightline.io.atomic import fsync_file
from sightline.io.secrets import hide_password
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import JournalWriter
from sightline.runs.journal.records import EntriesRecord, ModelRecord, Record, RefusedRecord
from sightline.runs.journal.upload import UploadStream
from sightline.tracking.mlflow.batches import merge
from sightline.tracking.mlflow.delivery import Delivery
from sightline.tracking.mlflow.errors import UPLOAD_ERRORS, describe
from sightline.tracking.mlflow.store import Store, open_store

log = logging.getLogger(__name__)

POLL_S = 1.0  # how long new records may wait
BACK_OFF_S = (0.5, 1, 2, 5, 10)


class RunUpload:
    """What one run's folder holds for MLflow; its streams may be brought by several threads.

    Args:
        folder: the run's own folder.
        config: where to.
        open_: gives the store.

    Attributes:
        sent: how far each stream was brought, and the run's ids.
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
        self.sent: dict[str, Any] = folder.upload.position()
        self._open = open_
        self._store: Store | None = None
        self._delivery: Delivery | None = None
        self._reached: dict[str, int] = {}  # by stream, beyond records of other streams
        self._lock = threading.RLock()

    def restart(self) -> None:
        """Bring everything from the start; what is there already stays as it is."""
        with self._lock:
            self.folder.upload.refused.unlink(missing_ok=True)
            self.sent, self._reached, self._delivery = {}, {}, None

    def upload_all(self) -> None:
        """Bring all that is there now."""
        for stream in self.streams:
            self.upload(stream)

    def upload(self, stream: UploadStream) -> bool:
        """Bring what a stream holds; False where it waits for the run to be created.

        Raises:
            one of TROUBLE: the rest could not be brought; trying again goes on from there.
        """
        begin = reached = self._begin(stream)

        def own() -> Iterator[tuple[Record, int]]:
            nonlocal reached
            for record, end in stream.read(begin):
                if record is not None:
                    yield record, end
                reached = end

        for records, end in merge(own()):
            if stream.name != "journal" and "run_id" not in self.sent:
                return False
            # A model shows the run's metrics, which were told before it.
            if isinstance(records[0], ModelRecord) and self._reached.get("journal", 0) < end:
                return False
            delivery = self.delivery()
            if self._begin(stream) < begin:  # it is another store than the one that was brought to
                return self.upload(stream)
            refused = delivery.upload(records)
            fsync_file(stream.path)  # a power cut must not take what is noted as brought
            self._note(stream, end, delivery, refused)
        self._reached[stream.name] = reached
        return True

    def _begin(self, stream: UploadStream) -> int:
        return max(self.sent.get(stream.name, 0), self._reached.get(stream.name, 0))

    def open(self) -> Store:
        """The store, once it answers."""
        with self._lock:
            if self._store is None:
                self._store = self._open(self.config)
            return self._store

    def delivery(self) -> Delivery:
        """The run in its store, once that answers."""
        with self._lock:
            if self._delivery is None:
                store = self.open()
                if self.sent.get("uri", hide_password(store.uri)) != hide_password(store.uri):
                    self.restart()
                self._delivery = Delivery(
                    store, self.folder, self.sent.get("run_id"), self.config.register_as
                )
            return self._delivery

    def _note(
        self, stream: UploadStream, end: int, delivery: Delivery, refused: list[tuple[Record, str]]
    ) -> None:
        with self._lock:
            if refused:
                journal = JournalWriter(self.folder.upload.refused)
                for record, why in refused:
                    journal.append(RefusedRecord(why=why, record=record.to_json()))
                journal.close()
                log.warning("MLflow refuses %s: %s (%d in all; %s has them).",
                            _brief(refused[0][0]), refused[0][1], len(refused),
                            self.folder.upload.refused)  # fmt: skip
            self.sent |= {
                stream.name: end,
                "run_id": delivery.run_id,
                "experiment_id": delivery.experiment_id,
                "uri": hide_password(delivery.store.uri),
            }
            try:
                self.folder.upload.write_position(self.sent)
            except OSError as error:  # a full disk: the next sender brings it again
                log.warning("%s: what was sent cannot be noted (%s).", self.folder, error.strerror)


class Uploader(threading.Thread):
    """Brings streams as they fill, until it is told that nothing more comes and all is brought.

    Args:
        outgoing: the run.
        streams: that this thread brings.
        closing: set when nothing more comes.
        say: hears what happens.
    """

    def __init__(
        self,
        outgoing: RunUpload,
        streams: list[UploadStream],
        closing: threading.Event,
        say: Callable[..., None],
    ) -> None:
        super().__init__(name=streams[0].name, daemon=True)
        self.outgoing = outgoing
        self.streams = streams
        self.closing = closing
        self.say = say

    def run(self) -> None:
        """Try, wait, try again; after a failure for longer each time."""
        try:
            self._upload_all()
        except Exception as error:
            self.say(event="warning", message=f"the sender failed: {type(error).__name__}: {error}")
            raise

    def _upload_all(self) -> None:
        failures = 0
        said = None  # the run's id, also where an earlier sender had it created
        while True:
            last = self.closing.is_set()  # what comes later is brought in a later round
            done = True
            try:
                for stream in self.streams:
                    done &= self.outgoing.upload(stream)
            except UPLOAD_ERRORS as error:
                if failures == 0:
                    self.say(event="behind", stream=self.name, message=describe(error))
                self._pause(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
                failures += 1
                continue
            if failures:
                self.say(event="ready", stream=self.name)
            failures = 0
            known = self.outgoing.sent.get("run_id")
            if known != said:
                self.say(event="run")
                said = known
            if last and done:
                return
            self._pause(POLL_S if known else POLL_S / 10)

    def _pause(self, seconds: float) -> None:
        if self.closing.is_set():
            time.sleep(min(seconds, BACK_OFF_S[0]))
        else:
            self.closing.wait(seconds)


def _brief(record: Record) -> str:
    """The content of a record, in a few words."""
    if isinstance(record, EntriesRecord):
        return f"{record.op} {', '.join(record.entries)}"[:200]
    return f"{record.op} {getattr(record, 'path', '')}".strip()
