"""Start of the sender process, and the pipes between it and the training."""

import json
import os
import select
import signal
import subprocess
import sys
from typing import Any

from sightline.config.schema import TrackingConfig
from sightline.io.secrets import split_credentials
from sightline.paths import default_store
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow.environment import request_environment

NOT_FOR_SENDER = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
Event = dict[str, Any]


class SenderProcess:
    """A running sender: it gets its settings and one word at the end, and sends events.

    Args:
        config: where runs are logged.
        folder: the run's own folder.
    """

    def __init__(self, config: TrackingConfig, folder: RunFolder) -> None:
        uri, credentials = split_credentials(config.uri or default_store())
        tracking = config.model_copy(update={"uri": uri})
        quiet = None if os.environ.get("SIGHTLINE_DEBUG") == "1" else subprocess.DEVNULL
        self._buffer = b""
        # Ctrl-C, and the signals that Slurm sends to all of a job's processes, are the training's.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, NOT_FOR_SENDER)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sightline.tracking.sender.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=quiet,
                env=request_environment(os.environ) | credentials,
                start_new_session=True,
            )  # with these signals blocked from its first moment on
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        assert self._process.stdin is not None
        settings = {"folder": str(folder), "tracking": tracking.model_dump(),
                    "parent": os.getpid(), "token": folder.token}  # fmt: skip
        self._process.stdin.write(json.dumps(settings).encode() + b"\n")
        self._process.stdin.flush()

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def read_events(self, timeout_s: float) -> list[Event]:
        """The events that arrived; waits for the first one, but no longer than this."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
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
        assert self._process.stdin is not None
        self._process.stdin.write(b"failed\n" if failed else b"end\n")
        self._process.stdin.close()

    def kill(self) -> None:
        """Kill it, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Close the pipe of its events."""
        assert self._process.stdout is not None
        self._process.stdout.close()
