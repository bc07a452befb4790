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
from typing import Any

import requests
from filelock import Timeout
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from sightline.alive import working_in
from sightline.config import TrackingConfig
from sightline.errors import UserError
from sightline.tracking.delivery import Delivery, merge
from sightline.tracking.outbox import (
    count_pending,
    journal_of,
    read_sent,
    sender_lock,
    spools_of,
    status_of,
    write_sent,
)
from sightline.tracking.secrets import hide_password
from sightline.tracking.spool import Spool, read_spool
from sightline.tracking.store import Store, open_store
from sightline.tracking.system import SystemWatch

log = logging.getLogger(__name__)

POLL_S = 1.0  # how long new records may wait
BACK_OFF_S = (0.5, 1, 2, 5, 10)
EVENTS = 3  # the file descriptor that events go to; MLflow prints to the standard output
TROUBLE = (MlflowException, SQLAlchemyError, OSError, requests.RequestException, UserError)


class Sender:
    """Brings what one run's folder holds, from where the last sender stopped.

    Args:
        folder: the run's own folder.
        config: where to.

    Attributes:
        sent: how far each spool was brought, and the run's ids.
    """

    def __init__(self, folder: Path, config: TrackingConfig) -> None:
        self.folder = folder
        self.config = config
        self.sent: dict[str, Any] = read_sent(folder)
        self._store: Store | None = None
        self._delivery: Delivery | None = None

    def open(self) -> Store:
        """The store, once it answers."""
        if self._store is None:
            self._store = open_store(self.config)
        return self._store

    def bring_all(self, deadline: float | None = None) -> None:
        """Bring all that is there now, or until the deadline (`time.monotonic()`)."""
        for name, path in spools_of(self.folder).items():
            if name != "journal" and "run_id" not in self.sent:
                continue
            for records, end in merge(read_spool(path, self.sent.get(name, 0))):
                delivery = self._deliver_to()
                delivery.bring(records)
                self.sent |= {
                    name: end,
                    "run_id": delivery.run_id,
                    "experiment_id": delivery.store.experiment_id,
                    "uri": hide_password(delivery.store.uri),
                }
                write_sent(self.folder, self.sent)
                if deadline is not None and time.monotonic() > deadline:
                    return

    def _deliver_to(self) -> Delivery:
        if self._delivery is None:
            self._delivery = Delivery(self.open(), self.folder, self.sent.get("run_id"))
        return self._delivery


def main() -> int:
    """Serve one training until it ends, and its spool until it is brought or time is up."""
    os.dup2(sys.stdout.fileno(), EVENTS)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    settings = json.loads(sys.stdin.readline())
    folder = Path(settings["folder"])
    config = TrackingConfig.model_validate(settings["tracking"])
    ended, died = threading.Event(), threading.Event()
    waiting = threading.Thread(target=_wait_for_end, args=[os.getppid(), ended, died], daemon=True)
    waiting.start()
    sender = Sender(folder, config)
    if config.offline is not True:
        _say_whether_ready(sender)
    while not journal_of(folder).exists():
        if ended.wait(POLL_S / 10):
            return 0
    watch = None
    if config.system_metrics_interval_s is not None:
        watch = SystemWatch(spools_of(folder)["system"], config.system_metrics_interval_s)
        watch.start()
    if config.offline is True:
        ended.wait()
    else:
        _serve(sender, ended)
    if watch is not None:
        watch.stop()
    if died.is_set():
        _tell_of_death(folder)
    if config.offline is not True:
        _flush(sender, config.flush_timeout_s)
    return 0


def _wait_for_end(parent: int, ended: threading.Event, died: threading.Event) -> None:
    """Until the training says so, or is gone."""
    said: list[str] = []
    reading = threading.Thread(target=lambda: said.append(sys.stdin.readline()), daemon=True)
    reading.start()
    while reading.is_alive() and os.getppid() == parent:
        reading.join(POLL_S)
    if not any(said):  # workers that outlive the training keep the pipe open for a while
        died.set()
    ended.set()


def _tell_of_death(folder: Path) -> None:
    """The training is gone and could not say so; under Slurm it may come back."""
    if "SLURM_JOB_ID" in os.environ or status_of(folder) != "RUNNING":
        return
    try:
        with working_in(folder):
            spool, now = Spool(journal_of(folder)), int(time.time() * 1000)
            why = "the process ended without a word (killed, or out of memory)"
            spool.append({"op": "tags", "tags": {"error": why}, "time_ms": now})
            spool.append({"op": "status", "status": "FAILED", "time_ms": now}, sync=True)
    except UserError as error:
        log.info("another process goes on with the run: %s", error)


def _say_whether_ready(sender: Sender) -> None:
    try:
        sender.open()
    except TROUBLE as error:
        _say(event="unreachable", message=str(error))
    else:
        _say(event="ready")


def _serve(sender: Sender, ended: threading.Event) -> None:
    failures = 0
    with sender_lock(sender.folder, -1):
        sender.sent = read_sent(sender.folder)  # an earlier sender may have been at work
        while not ended.is_set():
            known = "run_id" in sender.sent
            try:
                sender.bring_all()
            except TROUBLE as error:
                if failures == 0:
                    _say(event="behind", message=first_line(error))
                ended.wait(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
                failures += 1
                continue
            if failures:
                _say(event="ready")
            failures = 0
            if not known and "run_id" in sender.sent:
                _say(event="run")
            ended.wait(POLL_S if known else POLL_S / 10)


def _flush(sender: Sender, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    try:
        with sender_lock(sender.folder, timeout_s):
            while True:
                try:
                    sender.bring_all(deadline)
                except TROUBLE as error:
                    _say(event="behind", message=first_line(error))
                if count_pending(sender.folder) == 0 or time.monotonic() > deadline:
                    break
                time.sleep(BACK_OFF_S[0])
    except Timeout:
        _say(event="behind", message="another process sends this run")
    if "run_id" in sender.sent:
        _say(event="run")


def first_line(error: Exception) -> str:
    """What went wrong, in a line, without passwords."""
    return hide_password((str(error).strip().splitlines() or [type(error).__name__])[0])


def _say(**event: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # the training is gone; its spool is what counts
        os.write(EVENTS, json.dumps(event).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
