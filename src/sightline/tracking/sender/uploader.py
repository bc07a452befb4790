"""Threads of the sender that upload streams of records while a training runs."""

import logging
import threading
import time
from collections.abc import Callable

from sightline.runs.journal.file import JournalFormatError
from sightline.runs.journal.upload import UploadStream
from sightline.runs.lock import LockLostError
from sightline.tracking.mlflow.errors import UPLOAD_ERRORS, describe
from sightline.tracking.sender.run_upload import RunUpload

log = logging.getLogger(__name__)

POLL_S = 1.0  # between looks for new records
BACK_OFF_S = (0.5, 1, 2, 5, 10)


class Uploader(threading.Thread):
    """Uploads streams as they fill, until no more records come and all are uploaded.

    Args:
        run_upload: the run.
        streams: that this thread uploads.
        closing: set when no more records come.
        send_event: sends an event to the training.
    """

    def __init__(
        self,
        run_upload: RunUpload,
        streams: list[UploadStream],
        closing: threading.Event,
        send_event: Callable[..., None],
    ) -> None:
        super().__init__(name=streams[0].name, daemon=True)
        self.run_upload = run_upload
        self.streams = streams
        self.closing = closing
        self.send_event = send_event

    def run(self) -> None:
        """Upload, wait, repeat; after each failure wait longer."""
        try:
            self._upload_streams()
        except JournalFormatError as error:  # a retry reads the same
            self.send_event(event="warning", message=str(error))
        except LockLostError as error:  # the training says so
            log.info("%s", error)
        except Exception as error:
            message = f"the sender failed: {type(error).__name__}: {error}"
            self.send_event(event="warning", message=message)
            raise

    def _upload_streams(self) -> None:
        failures = 0
        reported = None  # the run's id, also where an earlier sender created it
        while True:
            last = self.closing.is_set()  # records of later on wait for a later round
            done = True
            try:
                for stream in self.streams:
                    done &= self.run_upload.upload(stream)
            except (JournalFormatError, LockLostError):
                raise
            except UPLOAD_ERRORS as error:
                if failures == 0:
                    self.send_event(event="behind", stream=self.name, message=describe(error))
                self._pause(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
                failures += 1
                continue
            if failures:
                self.send_event(event="ready", stream=self.name)
            failures = 0
            run_id = self.run_upload.position.get("run_id")
            if run_id != reported:
                self.send_event(event="run")
                reported = run_id
            if last and done:
                return
            self._pause(POLL_S if run_id else POLL_S / 10)

    def _pause(self, seconds: float) -> None:
        if self.closing.is_set():
            time.sleep(min(seconds, BACK_OFF_S[0]))
        else:
            self.closing.wait(seconds)
