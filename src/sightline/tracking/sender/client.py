"""The training's side of its sender: started early, asked rarely, never waited for in a step."""

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

from sightline.config.schema import TrackingConfig
from sightline.errors import UserError
from sightline.io.secrets import split_credentials
from sightline.paths import default_store
from sightline.runs.folder import RunFolder
from sightline.runs.journal.upload import RunLocation

log = logging.getLogger(__name__)

NOT_FOR_SENDER = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
MARGIN_S = 15  # what a sender may take beyond its time, to end
START_S = 600  # to import what it needs and to wait for others that make a store ready
SOON_S = 2  # an end that takes no longer is not announced
# One try at a time: the sender itself tries again, and what MLflow repeats unasked comes twice.
ONE_TRY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
# Soon given up, unless the environment says otherwise.
SOON = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "PGCONNECT_TIMEOUT": "10",
}


def warn_of_pending(folder: RunFolder) -> None:
    """Warn of what a run told and MLflow does not have."""
    pending, refused = folder.upload.count_pending(), folder.upload.count_refused()
    if pending:
        log.warning("pending:          %d records; `sightline sync %s` sends them", pending, folder)
    if refused:
        log.warning("refused:          %d records; %s says why", refused, folder.upload.refused)


def upload_pending(config: TrackingConfig, folder: RunFolder) -> None:
    """Bring what a run told and MLflow does not have, for at most `flush_timeout_s`; say what is
    left.

    Args:
        config: where runs are logged.
        folder: the run's own folder; nothing runs in it any more.
    """
    if config.offline is True or not folder.upload.count_pending():
        warn_of_pending(folder)
        return
    # Nothing is measured: it is another time, and may be another machine.
    config = config.model_copy(update={"system_metrics_interval_s": None})
    SenderClient(config, folder, patient=True).close()


class SenderClient:
    """A sender process for one run's folder.

    Args:
        config: where runs are logged.
        folder: the run's own folder.
        patient: go on without a server that does not answer, as `tracking.offline=auto` does.

    Attributes:
        run: its ids, once it is known.
        failed: set where the training ends with an error.
    """

    def __init__(self, config: TrackingConfig, folder: RunFolder, patient: bool) -> None:
        self.config = config
        self.folder = folder
        self.patient = patient or config.offline == "auto"
        self.run: RunLocation | None = None
        self.failed = False
        self._buffer = b""
        self._events: list[dict[str, Any]] = []  # heeded, and not yet waited for
        self._troubles: dict[str, str] = {}  # by stream
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        uri, credentials = split_credentials(self.config.uri or default_store())
        tracking = self.config.model_copy(update={"uri": uri})
        quiet = None if os.environ.get("SIGHTLINE_DEBUG") == "1" else subprocess.DEVNULL
        # Ctrl-C, and what Slurm sends to all of a job's processes, is for the training.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, NOT_FOR_SENDER)
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "sightline.tracking.sender.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=quiet,
                env=SOON | os.environ | ONE_TRY | credentials,
                start_new_session=True,
            )  # with these signals blocked, from its first moment on
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        assert process.stdin is not None
        settings = {"folder": str(self.folder), "tracking": tracking.model_dump(),
                    "parent": os.getpid()}  # fmt: skip
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        process.stdin.flush()
        return process

    def wait_until_ready(self) -> None:
        """Return when the store answers; at once where it is not asked.

        Raises:
            UserError: it does not answer, and the config does not say to go on without it.
        """
        if self.config.offline is True:
            return
        self._wait_for(("asking",), START_S)  # importing takes long where many start at once
        event = self._wait_for(("ready", "unreachable"), self._store_timeout_s())
        if event.get("event") == "ready":
            return
        problem = event.get("message", "The process that sends to MLflow gave no answer.")
        if not self.patient:
            raise UserError(f"{problem} Nothing was trained.")
        log.warning("%s Training goes on; what it tells is kept in %s.", problem, self.folder)

    def wait_for_run(self) -> RunLocation | None:
        """The run's ids, as soon as it is there; None where that takes too long."""
        if self.run is None and self.config.offline is not True and not self._troubles:
            self._wait_for(("run", "behind"), self.config.start_timeout_s)
        return self.run

    def _store_timeout_s(self) -> float:
        """A server has its time; one's own file is waited for while others make it ready."""
        local = (self.config.uri or default_store()).startswith("sqlite:")
        return START_S if local else self.config.start_timeout_s + MARGIN_S

    def poll(self) -> None:
        """Hear what the sender says, without waiting; start another where it died."""
        self._read(0)
        self._events.clear()
        if self._process.poll() is not None:
            log.warning("The process that sends to MLflow ended (%s); a new one is started.",
                        self._process.returncode)  # fmt: skip
            self._process = self._start()

    def close(self, wait: bool = True) -> None:
        """Let the sender bring the rest, for at most `flush_timeout_s`; say what is left.

        Args:
            wait: for it; it goes on by itself in any case.
        """
        begun = self.folder.upload.folder.is_dir()
        if self._process.poll() is not None and begun:
            self._process = self._start()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"failed\n" if self.failed else b"end\n")
            self._process.stdin.close()
        except BrokenPipeError:
            log.debug("the sender had ended")
        if not wait:
            return
        soon = time.monotonic() + SOON_S
        deadline = time.monotonic() + self.config.flush_timeout_s + MARGIN_S
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read(0.2)
            if begun and time.monotonic() > soon and self.config.offline is not True:
                log.info(
                    "sending the rest to MLflow, for at most %g s", self.config.flush_timeout_s
                )
                soon = deadline
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._read(0)
        assert self._process.stdout is not None
        self._process.stdout.close()
        if begun:
            warn_of_pending(self.folder)

    def _wait_for(self, kinds: tuple[str, ...], timeout_s: float) -> dict[str, Any]:
        """The next event of these kinds, those before it forgotten; empty where none comes."""
        deadline = time.monotonic() + timeout_s
        while True:
            gone = self._process.poll() is not None
            self._read(min(0.2, max(0.0, deadline - time.monotonic())))
            while self._events:
                event = self._events.pop(0)
                if event["event"] in kinds:
                    return event
            if gone or time.monotonic() > deadline:
                return {}

    def _read(self, timeout_s: float) -> None:
        """Heed and keep the events that came, at latest after this time."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while select.select([descriptor], [], [], timeout_s)[0]:
            part = os.read(descriptor, 65536)
            if not part:
                break
            self._buffer += part
            timeout_s = 0
        *lines, self._buffer = self._buffer.split(b"\n")
        self._events += [json.loads(line) for line in lines]
        for event in self._events[len(self._events) - len(lines) :]:
            self._heed(event)

    def _heed(self, event: dict[str, Any]) -> None:
        if event["event"] == "run":
            self.run = self.folder.upload.location
        elif event["event"] == "warning":
            log.warning("%s", event["message"])
        elif event["event"] == "ready":
            if self._troubles.pop(event["stream"], None) is not None and not self._troubles:
                log.info("MLflow answers again.")
        elif event["event"] == "behind":
            if not self._troubles:
                log.warning("%s. What the run tells is kept in %s and sent when it can be.",
                            event["message"], self.folder)  # fmt: skip
            self._troubles[event["stream"]] = event["message"]
