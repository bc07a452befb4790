"""The process that uploads a run's journal to MLflow, so that no training step waits for a server.

Started by `SenderProcess` as `python -m sightline.tracking.sender.process`, or forked. The first
line of its standard input has the settings as JSON, the second how the training ended; each line of
its standard output is an event as JSON.
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
from sightline.io.forked import run_main
from sightline.io.redaction import redact
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import JournalWriteError, JournalWriter
from sightline.runs.journal.records import Record, StatusRecord, TagsRecord
from sightline.tracking.mlflow.errors import UPLOAD_ERRORS, describe, short_message
from sightline.tracking.mlflow.system_metrics import SystemMetricsMonitor
from sightline.tracking.mlflow.tags import ERROR
from sightline.tracking.sender.run_upload import RunUpload
from sightline.tracking.sender.uploader import Uploader

log = logging.getLogger(__name__)

POLL_S = 0.1
EVENTS = 3  # the file descriptor that events go to; MLflow prints to the standard output
MAX_EVENT = 900  # characters of a message: a pipe takes a line of up to 4096 bytes at once
KILLED = "the process ended without a report (killed, or out of memory)"
UNWRITABLE = "the run's folder could not be written"


class TrainingProcess:
    """The training process, monitored for its end.

    Args:
        pid: its process id.

    Attributes:
        ended: set when it reported its end, or is gone.
        report: `end` or `failed`; empty where it died without a report.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended = threading.Event()
        self.report = ""
        threading.Thread(target=self._wait, name="training", daemon=True).start()

    def _wait(self) -> None:
        lines: list[str] = []
        reading = threading.Thread(target=lambda: lines.append(sys.stdin.readline()), daemon=True)
        reading.start()
        # Workers that outlive the training keep the pipe open for a while.
        while reading.is_alive() and os.getppid() == self.pid:
            reading.join(1)
        self.report = lines[0].strip() if lines else ""
        # The pipe of a process that is killed closes a moment before the process is gone.
        for _ in range(0 if self.report else 100):
            if os.getppid() != self.pid:
                break
            time.sleep(0.1)
        self.ended.set()


class EventHandler(logging.Handler):
    """Sends warnings to the training, each once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._sent: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Send one warning."""
        message = record.getMessage()
        if message not in self._sent:
            self._sent.add(message)
            send_event(event="warning", message=message)


def main() -> int:
    """Serve one training until it ends, and its journal until it is uploaded or time is up."""
    os.dup2(sys.stdout.fileno(), EVENTS)
    os.set_blocking(EVENTS, False)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.getLogger("sightline").addHandler(EventHandler())
    settings = json.loads(sys.stdin.readline())
    folder = RunFolder(Path(settings["folder"]))
    folder.work_for(settings["token"])
    config = TrackingConfig.model_validate(settings["tracking"])
    training = TrainingProcess(settings["parent"])
    run_upload = RunUpload(folder, config)
    if config.offline is not True:
        send_event(event="asking")
        _report_readiness(run_upload)
    while not folder.upload.journal.exists():
        # It may have been written, and the training have ended, during the wait.
        if training.ended.wait(POLL_S) and not folder.upload.journal.exists():
            return 0
    with folder.upload.lock(-1):
        run_upload.resume()  # an earlier sender may have uploaded more
        folder.upload.write_destination(config)
        _serve(run_upload, training)
    return 0


def _serve(run_upload: RunUpload, training: TrainingProcess) -> None:
    folder, config = run_upload.folder, run_upload.config
    closing = threading.Event()
    entries = [each for each in run_upload.streams if not each.files]
    files = [each for each in run_upload.streams if each.files]
    uploaders = [Uploader(run_upload, streams, closing, send_event) for streams in (entries, files)]
    if config.offline is not True:
        for uploader in uploaders:
            uploader.start()
    monitor = None
    interval_s = config.system_metrics_interval_s
    if interval_s is not None:
        journal = JournalWriter(folder.upload.system_journal, folder.check_held)
        monitor = SystemMetricsMonitor(journal, interval_s)
        monitor.start()
    training.ended.wait()
    deadline = time.monotonic() + config.flush_timeout_s
    if monitor is not None:
        monitor.stop()
    if training.report != "end":
        _record_failure(run_upload, training)
    closing.set()
    if config.offline is not True:
        for uploader in uploaders:
            uploader.join(max(0.0, deadline - time.monotonic()))


def _record_failure(run_upload: RunUpload, training: TrainingProcess) -> None:
    """Record FAILED for a training that could not; under Slurm one that is gone may be requeued."""
    folder = run_upload.folder
    died = training.report == ""
    if "SLURM_JOB_ID" in os.environ or folder.status != "RUNNING":
        return
    records: list[Record] = [
        TagsRecord(tags={ERROR: KILLED if died else UNWRITABLE}),
        StatusRecord(status="FAILED"),
    ]
    try:
        with folder.lock() if died else contextlib.nullcontext():
            if folder.status != "RUNNING":  # another process resumed and ended it meanwhile
                return
            journal = JournalWriter(folder.upload.journal, folder.check_held)
            for record in records:
                journal.append(record, sync=True)
    except (JournalWriteError, OSError):  # a full disk: the status can still be uploaded
        try:
            folder.check_held()
            for record in records:
                run_upload.delivery().upload([record])
        except UPLOAD_ERRORS as error:
            send_event(event="behind", stream="journal", message=describe(error))
    except UserError as error:
        log.info("another process resumed the run: %s", error)


def _report_readiness(run_upload: RunUpload) -> None:
    try:
        run_upload.open()
    except UPLOAD_ERRORS as error:
        send_event(event="unreachable", message=short_message(error))
    else:
        send_event(event="ready", stream="journal")


def send_event(**event: str) -> None:
    """Send an event to the training; it is lost where the training is gone."""
    event = {key: redact(value)[:MAX_EVENT] for key, value in event.items()}
    with contextlib.suppress(BrokenPipeError, BlockingIOError):
        os.write(EVENTS, json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n")


def run() -> int:
    """The exit status of `main`; an unexpected error is also sent to the training."""
    try:
        return main()
    except Exception as error:
        send_event(event="warning", message=f"the sender failed: {type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    run_main(run)
