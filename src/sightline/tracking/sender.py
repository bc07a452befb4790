"""The process that brings a run's spool to MLflow, so that no training step waits for a server.

Started by `Connection` as `python -m sightline.tracking.sender`; one line of JSON on its standard
input says what to do, lines of JSON on its standard output say what happened.
"""

import contextlib
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path

from sightline.alive import working_in
from sightline.config import TrackingConfig
from sightline.errors import UserError
from sightline.tracking.courier import Courier, Outgoing
from sightline.tracking.outbox import (
    journal_of,
    read_sent,
    sender_lock,
    status_of,
    system_of,
    write_destination,
)
from sightline.tracking.secrets import hide_password
from sightline.tracking.spool import Record, Spool, UnwritableError
from sightline.tracking.system import SystemWatch
from sightline.tracking.trouble import TROUBLE, describe, in_words

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
    """Serve one training until it ends, and its spool until it is brought or time is up."""
    os.dup2(sys.stdout.fileno(), EVENTS)
    os.set_blocking(EVENTS, False)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.getLogger("sightline").addHandler(EventHandler())
    settings = json.loads(sys.stdin.readline())
    folder = Path(settings["folder"])
    config = TrackingConfig.model_validate(settings["tracking"])
    training = Training(settings["parent"])
    outgoing = Outgoing(folder, config)
    if config.offline is not True:
        say(event="asking")
        _say_whether_ready(outgoing)
    while not journal_of(folder).exists():
        if training.ended.wait(POLL_S):
            return 0
    with sender_lock(folder, -1):
        outgoing.sent = read_sent(folder)  # an earlier sender may have been at work
        write_destination(folder, config)
        _serve(outgoing, training)
    return 0


def _serve(outgoing: Outgoing, training: Training) -> None:
    folder, config = outgoing.folder, outgoing.config
    closing = threading.Event()
    measured = [lane for lane in outgoing.lanes if not lane.files]
    files = [lane for lane in outgoing.lanes if lane.files]
    couriers = [Courier(outgoing, lanes, closing, say) for lanes in (measured, files)]
    if config.offline is not True:
        for courier in couriers:
            courier.start()
    watch = None
    if config.system_metrics_interval_s is not None:
        watch = SystemWatch(system_of(folder), config.system_metrics_interval_s)
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


def _tell_of_failure(outgoing: Outgoing, training: Training) -> None:
    """The training could not say so itself; one that is gone may come back under Slurm."""
    folder = outgoing.folder
    died = training.last_word == ""
    if "SLURM_JOB_ID" in os.environ or status_of(folder) != "RUNNING":
        return
    now = int(time.time() * 1000)
    records: list[Record] = [
        {"op": "tags", "tags": {"error": KILLED if died else UNWRITABLE}, "time_ms": now},
        {"op": "status", "status": "FAILED", "time_ms": now},
    ]
    try:
        with working_in(folder) if died else contextlib.nullcontext():
            spool = Spool(journal_of(folder))
            for record in records:
                spool.append(record, sync=True)
    except (UnwritableError, OSError):  # what cannot be written down can still be said
        try:
            for record in records:
                outgoing.delivery().bring([record])
        except TROUBLE as error:
            say(event="behind", lane="journal", message=describe(error))
    except UserError as error:
        log.info("another process goes on with the run: %s", error)


def _say_whether_ready(outgoing: Outgoing) -> None:
    try:
        outgoing.open()
    except TROUBLE as error:
        say(event="unreachable", message=in_words(error))
    else:
        say(event="ready", lane="journal")


def say(**event: str) -> None:
    """Tell the training; where it is gone, its spool is what counts."""
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
