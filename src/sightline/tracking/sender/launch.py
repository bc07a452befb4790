"""Start of the sender process, and the pipes between it and the training."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import IO, Any

from sightline.config.schema import TrackingConfig
from sightline.io.forked import ForkedProcess, fork
from sightline.io.secrets import split_credentials
from sightline.paths import default_store
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow.environment import request_environment

NOT_FOR_SENDER = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
COMMAND = [sys.executable, "-m", "sightline.tracking.sender.process"]
Event = dict[str, Any]
Started = tuple[subprocess.Popen[bytes] | ForkedProcess, IO[bytes], IO[bytes]]


class SenderProcess:
    """A running sender: it gets its settings and one word at the end, and sends events.

    Args:
        config: where runs are logged.
        folder: the run's own folder.
        forks: whether it is forked from this process, which has MLflow imported.
    """

    def __init__(self, config: TrackingConfig, folder: RunFolder, forks: bool = False) -> None:
        uri, credentials = split_credentials(config.uri or default_store())
        tracking = config.model_copy(update={"uri": uri})
        self._buffer = b""
        # Ctrl-C, and the signals that Slurm sends to all of a job's processes, are the training's.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, NOT_FOR_SENDER)
        try:  # with these signals blocked from its first moment on
            environment = request_environment(os.environ) | credentials
            self._process, self._input, self._events = (_fork if forks else _start)(environment)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        settings = {"folder": str(folder), "tracking": tracking.model_dump(),
                    "parent": os.getpid(), "token": folder.token}  # fmt: skip
        self._input.write(json.dumps(settings).encode() + b"\n")
        self._input.flush()

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def read_events(self, timeout_s: float) -> list[Event]:
        """The events that arrived; waits for the first one, but no longer than this."""
        descriptor = self._events.fileno()
        while select.select([descriptor], [], [], timeout_s)[0]:
            part = os.read(descriptor, 65536)
            if not part:
                break
            self._buffer += part
            timeout_s = 0
        *lines, self._buffer = self._buffer.split(b"\n")
        return [json.loads(line) for line in lines]

    def send_end(self, failed: bool) -> None:
        """Send that the training ended.

        Raises:
            BrokenPipeError: the sender is gone.
        """
        self._input.write(b"failed\n" if failed else b"end\n")
        self._input.close()

    def kill(self) -> None:
        """Kill it, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Close the pipe of its events."""
        self._events.close()


def _start(environment: Mapping[str, str]) -> Started:
    """A new process, with the pipes to it."""
    process = subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=None if _shows_errors() else subprocess.DEVNULL,
        env=environment, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    return process, process.stdin, process.stdout


def _fork(environment: Mapping[str, str]) -> Started:
    """The same, forked from this process, which saves the imports."""
    from sightline.tracking.sender.process import run

    source, settings = os.pipe()
    events, output = os.pipe()
    errors = os.dup(2) if _shows_errors() else os.open(os.devnull, os.O_WRONLY)
    process = fork(run, COMMAND, [source, output, errors], environment)
    for descriptor in (source, output, errors):
        os.close(descriptor)
    return process, os.fdopen(settings, "wb"), os.fdopen(events, "rb")


def _shows_errors() -> bool:
    return os.environ.get("SIGHTLINE_DEBUG") == "1"
