"""One run's way to MLflow: lane by lane, each from where it was left, until all is brought."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from sightline.config.schema import TrackingConfig
from sightline.io.atomic import fsync_file
from sightline.io.secrets import hide_password
from sightline.runs.journal.file import JournalWriter, Record
from sightline.runs.journal.outbox import (
    UploadStream,
    read_upload_position,
    refused_path,
    upload_streams,
    write_upload_position,
)
from sightline.tracking.mlflow.batches import merge
from sightline.tracking.mlflow.delivery import Delivery
from sightline.tracking.mlflow.errors import UPLOAD_ERRORS, describe
from sightline.tracking.mlflow.store import Store, open_store

log = logging.getLogger(__name__)

POLL_S = 1.0  # how long new records may wait
BACK_OFF_S = (0.5, 1, 2, 5, 10)


class RunUpload:
    """What one run's folder holds for MLflow; its lanes may be brought by several threads.

    Args:
        folder: the run's own folder.
        config: where to.
        open_: gives the store.

    Attributes:
        sent: how far each lane was brought, and the run's ids.
    """

    def __init__(
        self,
        folder: Path,
        config: TrackingConfig,
        open_: Callable[[TrackingConfig], Store] = open_store,
    ) -> None:
        self.folder = folder
        self.config = config
        self.lanes = upload_streams(folder)
        self.sent: dict[str, Any] = read_upload_position(folder)
        self._open = open_
        self._store: Store | None = None
        self._delivery: Delivery | None = None
        self._reached: dict[str, int] = {}  # by lane, beyond records of other lanes
        self._lock = threading.RLock()

    def restart(self) -> None:
        """Bring everything from the start; what is there already stays as it is."""
        with self._lock:
            refused_path(self.folder).unlink(missing_ok=True)
            self.sent, self._reached, self._delivery = {}, {}, None

    def upload_all(self) -> None:
        """Bring all that is there now."""
        for lane in self.lanes:
            self.upload(lane)

    def upload(self, lane: UploadStream) -> bool:
        """Bring what a lane holds; False where it waits for the run to be created.

        Raises:
            one of TROUBLE: the rest could not be brought; trying again goes on from there.
        """
        begin = reached = self._begin(lane)

        def own() -> Iterator[tuple[Record, int]]:
            nonlocal reached
            for record, end in lane.read(begin):
                if record is not None:
                    yield record, end
                reached = end

        for records, end in merge(own()):
            if lane.name != "journal" and "run_id" not in self.sent:
                return False
            # A model shows the run's metrics, which were told before it.
            if records[0]["op"] == "model" and self._reached.get("journal", 0) < end:
                return False
            delivery = self.delivery()
            if self._begin(lane) < begin:  # it is another store than the one that was brought to
                return self.upload(lane)
            refused = delivery.upload(records)
            fsync_file(lane.path)  # a power cut must not take what is noted as brought
            self._note(lane, end, delivery, refused)
        self._reached[lane.name] = reached
        return True

    def _begin(self, lane: UploadStream) -> int:
        return max(self.sent.get(lane.name, 0), self._reached.get(lane.name, 0))

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
        self, lane: UploadStream, end: int, delivery: Delivery, refused: list[tuple[Record, str]]
    ) -> None:
        with self._lock:
            if refused:
                journal = JournalWriter(refused_path(self.folder))
                for record, why in refused:
                    journal.append({"op": "refused", "why": why, "record": record})
                journal.close()
                log.warning("MLflow refuses %s: %s (%d in all; %s has them).",
                            _brief(refused[0][0]), refused[0][1], len(refused),
                            refused_path(self.folder))  # fmt: skip
            self.sent |= {
                lane.name: end,
                "run_id": delivery.run_id,
                "experiment_id": delivery.experiment_id,
                "uri": hide_password(delivery.store.uri),
            }
            try:
                write_upload_position(self.folder, self.sent)
            except OSError as error:  # a full disk: the next sender brings it again
                log.warning("%s: what was sent cannot be noted (%s).", self.folder, error.strerror)


class Uploader(threading.Thread):
    """Brings lanes as they fill, until it is told that nothing more comes and all is brought.

    Args:
        outgoing: the run.
        lanes: that this thread brings.
        closing: set when nothing more comes.
        say: hears what happens.
    """

    def __init__(
        self,
        outgoing: RunUpload,
        lanes: list[UploadStream],
        closing: threading.Event,
        say: Callable[..., None],
    ) -> None:
        super().__init__(name=lanes[0].name, daemon=True)
        self.outgoing = outgoing
        self.lanes = lanes
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
                for lane in self.lanes:
                    done &= self.outgoing.upload(lane)
            except UPLOAD_ERRORS as error:
                if failures == 0:
                    self.say(event="behind", lane=self.name, message=describe(error))
                self._pause(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
                failures += 1
                continue
            if failures:
                self.say(event="ready", lane=self.name)
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
    """What a record is about, in a few words."""
    with suppress(KeyError):
        return f"{record['op']} {record['path']}"
    entries = record.get(record["op"])
    return f"{record['op']} {', '.join(entries)}"[:200] if isinstance(entries, dict) else str(
        record["op"])  # fmt: skip
