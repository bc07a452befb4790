"""The process that uploads a run's journal to MLflow, so that no training step waits for a server.

Started by `SenderClient` as `python -m sightline.tracking.sender.process`; one line of JSON on its
standard input says what to do, lines of JSON on its standard output say what happened.
"""

import contextlib
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path

from sightline.config.schema import TrackingConfig
from sightline.errors import UserError
from sightline.io.secrets import hide_password
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import JournalWriteError, JournalWriter
from sightline.runs.journal.records import Record, StatusRecord, TagsRecord
from sightline.tracking.mlflow.errors import UPLOAD_ERRORS, describe, short_message
from sightline.tracking.mlflow.system_metrics import SystemMetricsMonitor
from sightline.tracking.sender.uploader import RunUpload, Uploader

log = logging.getLogger(__name__)

POLL_S = 0.1
EVENTS = 3  # the file descriptor that events go to; MLflow prints to the standard output
MAX_EVENT = 900  # characters of a message: a pipe takes a line of up to 4096 bytes at once
KILLED = "the process ended without a word (killed, or out of memory)"
UNWRITABLE = "the run's folder could not be written"


class Training:
    """The process that is served: whether it goes on, and how it ended.

    Args:
        pid: its process id.

    Attributes:
        ended: set when it said so, or is gone.
        last_word: what it said: `end`, `failed`, or nothing where it died.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended = threading.Event()
        self.last_word = ""
        threading.Thread(target=self._wait, name="training", daemon=True).start()

    def _wait(self) -> None:
        said: list[str] = []
        reading = threading.Thread(target=lambda: said.append(sys.stdin.readline()), daemon=True)
        reading.start()
        # Workers that outlive the training keep the pipe open for a while.
        while reading.is_alive() and os.getppid() == self.pid:
            reading.join(1)
        self.last_word = said[0].strip() if said else ""
        # The pipe of a process that is killed closes a moment before the process is gone.
        for _ in range(0 if self.last_word else 100):
            if os.getppid() != self.pid:
                break
            time.sleep(0.1)
        self.ended.set()


class EventHandler(logging.Handler):
    """Passes warnings on to the training, each once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Say one warning."""
        message = record.getMessage()
        if message not in self._said:
            self._said.add(message)
            say(event="warning", message=message)


def main() -> int:
    """Serve one training until it ends, and its journal until it is brought or time is up."""
    os.dup2(sys.stdout.fileno(), EVENTS)
    os.set_blocking(EVENTS, False)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.getLogger("sightline").addHandler(EventHandler())
    settings = json.loads(sys.stdin.readline())
    folder = RunFolder(Path(settings["folder"]))
    config = TrackingConfig.model_validate(settings["tracking"])
    training = Training(settings["parent"])
    outgoing = RunUpload(folder, config)
    if config.offline is not True:
        say(event="asking")
        _report_readiness(outgoing)
    while not folder.upload.journal.exists():
        if training.ended.wait(POLL_S):
            return 0
    with folder.upload.lock(-1):
        outgoing.sent = folder.upload.position()  # an earlier sender may have been at work
        folder.upload.write_destination(config)
        _serve(outgoing, training)
    return 0


def _serve(outgoing: RunUpload, training: Training) -> None:
    folder, config = outgoing.folder, outgoing.config
    closing = threading.Event()
    measured = [each for each in outgoing.streams if not each.files]
    files = [each for each in outgoing.streams if each.files]
    couriers = [Uploader(outgoing, streams, closing, say) for streams in (measured, files)]
    if config.offline is not True:
        for courier in couriers:
            courier.start()
    watch = None
    if config.system_metrics_interval_s is not None:
        watch = SystemMetricsMonitor(folder.upload.system_journal, config.system_metrics_interval_s)
        watch.start()
    training.ended.wait()
    deadline = time.monotonic() + config.flush_timeout_s
    if watch is not None:
        watch.stop()
    if training.last_word != "end":
        _tell_of_failure(outgoing, training)
    closing.set()
    if config.offline is not True:
        for courier in couriers:
            courier.join(max(0.0, deadline - time.monotonic()))


def _tell_of_failure(outgoing: RunUpload, training: Training) -> None:
    """The training could not say so itself; one that is gone may come back under Slurm."""
    folder = outgoing.folder
    died = training.last_word == ""
    if "SLURM_JOB_ID" in os.environ or folder.status != "RUNNING":
        return
    records: list[Record] = [
        TagsRecord(tags={"error": KILLED if died else UNWRITABLE}),
        StatusRecord(status="FAILED"),
    ]
    try:
        with folder.lock() if died else contextlib.nullcontext():
            journal = JournalWriter(folder.upload.journal)
            for record in records:
                journal.append(record, sync=True)
    except (JournalWriteError, OSError):  # what cannot be written down can still be said
        try:
            for record in records:
                outgoing.delivery().upload([record])
        except UPLOAD_ERRORS as error:
            say(event="behind", stream="journal", message=describe(error))
    except UserError as error:
        log.info("another process goes on with the run: %s", error)


def _report_readiness(outgoing: RunUpload) -> None:
    try:
        outgoing.open()
    except UPLOAD_ERRORS as error:
        say(event="unreachable", message=short_message(error))
    else:
        say(event="ready", stream="journal")


def say(**event: str) -> None:
    """Tell the training; where it is gone, its journal is what counts."""
    event = {key: hide_password(value)[:MAX_EVENT] for key, value in event.items()}
    with contextlib.suppress(BrokenPipeError, BlockingIOError):
        os.write(EVENTS, json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n")


def _run() -> int:
    try:
        return main()
    except Exception as error:
        say(event="warning", message=f"the sender failed: {type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    sys.exit(_run())
