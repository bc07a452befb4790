"""The training's side of its sender: started early, asked rarely, never waited for in a step."""

import json
import logging
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.config import TrackingConfig
from sightline.errors import UserError
from sightline.project import default_store
from sightline.tracking.outbox import read_sent
from sightline.tracking.secrets import split_credentials

log = logging.getLogger(__name__)

MARGIN_S = 15  # what a sender may take beyond its time, to end


@dataclass(frozen=True)
class RunInStore:
    """Where a run is found in MLflow."""

    run_id: str
    experiment_id: str
    uri: str


def run_in_store(folder: Path) -> RunInStore | None:
    """Where a run was brought to; None where it was not."""
    sent = read_sent(folder)
    if "run_id" not in sent:
        return None
    return RunInStore(sent["run_id"], sent["experiment_id"], sent["uri"])


class Connection:
    """A sender process for one run's folder.

    Args:
        config: where runs are logged.
        folder: the run's own folder.
        patient: go on without a server that does not answer, as `tracking.offline=auto` does.
    """

    def __init__(self, config: TrackingConfig, folder: Path, patient: bool) -> None:
        self.config = config
        self.folder = folder
        self.patient = patient or config.offline == "auto"
        self.run: RunInStore | None = None
        self._buffer = b""
        self._trouble: str | None = None
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        uri, credentials = split_credentials(self.config.uri or default_store())
        tracking = self.config.model_copy(update={"uri": uri})
        quiet = None if os.environ.get("SIGHTLINE_DEBUG") == "1" else subprocess.DEVNULL
        process = subprocess.Popen(
            [sys.executable, "-m", "sightline.tracking.sender"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=quiet,
            env=REQUESTS | os.environ | credentials,
            start_new_session=True,  # Ctrl-C is for the training
        )
        assert process.stdin is not None
        settings = {"folder": str(self.folder), "tracking": tracking.model_dump()}
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
        event = self._wait_for(("ready", "unreachable"), self.config.start_timeout_s + MARGIN_S)
        if event.get("event") == "ready":
            return
        problem = event.get("message", "the sender gave no answer")
        if not self.patient:
            raise UserError(problem)
        log.warning("%s Training goes on; what it tells is kept in %s.", problem, self.folder)

    def wait_for_run(self) -> RunInStore | None:
        """The run's ids, as soon as it is there; None where that takes too long."""
        if self.run is None and self.config.offline is not True and self._trouble is None:
            self._wait_for(("run", "behind"), self.config.start_timeout_s)
        return self.run

    def poll(self) -> None:
        """Hear what the sender says, without waiting; start another where it died."""
        self._read(0)
        if self._process.poll() is not None:
            log.warning("The process that sends to MLflow ended (%s); a new one is started.",
                        self._process.returncode)  # fmt: skip
            self._process = self._start()

    def close(self, wait: bool = True) -> None:
        """Let the sender bring the rest, for at most `flush_timeout_s`.

        Args:
            wait: for it; it goes on by itself in any case.
        """
        if self._process.poll() is not None and (self.folder / "tracking").is_dir():
            self._process = self._start()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"end\n")
            self._process.stdin.close()
        except BrokenPipeError:
            log.debug("the sender had ended")
        if not wait:
            return
        deadline = time.monotonic() + self.config.flush_timeout_s + MARGIN_S
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read(0.2)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._read(0)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _wait_for(self, kinds: tuple[str, ...], timeout_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            for event in self._read(min(0.2, left)):
                if event["event"] in kinds:
                    return event
            if self._process.poll() is not None:
                for event in self._read(0):
                    if event["event"] in kinds:
                        return event
                break
        return {}

    def _read(self, timeout_s: float) -> list[dict[str, Any]]:
        """The events that came, heeded."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while select.select([descriptor], [], [], timeout_s)[0]:
            part = os.read(descriptor, 65536)
            if not part:
                break
            self._buffer += part
            timeout_s = 0
        *lines, self._buffer = self._buffer.split(b"\n")
        events = [json.loads(line) for line in lines]
        for event in events:
            self._heed(event)
        return events

    def _heed(self, event: dict[str, Any]) -> None:
        if event["event"] == "run":
            self.run = run_in_store(self.folder)
        elif event["event"] == "ready":
            if self._trouble is not None:
                log.info("MLflow answers again.")
            self._trouble = None
        elif event["event"] == "behind":
            if self._trouble is None:
                log.warning(
                    "MLflow cannot be reached (%s). Training goes on; what it tells is kept in %s "
                    "and sent when it can be.",
                    event["message"], self.folder,
                )  # fmt: skip
            self._trouble = event["message"]


# One try at a time, soon given up: the sender itself tries again, and later.
REQUESTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
