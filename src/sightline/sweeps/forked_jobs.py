"""The sweep's side of the process that its jobs are forked from."""

import ctypes
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import BinaryIO

from sightline.io.forked import ROOM, ForkedProcess

log = logging.getLogger(__name__)

SERVER_COMMAND = [sys.executable, "-m", "sightline.sweeps.job_server", " " * ROOM]
PR_SET_CHILD_SUBREAPER = 36
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}  # a job's output is read while it runs


class JobServer:
    """A process with the libraries loaded, which forks jobs; started for the first of them.

    Jobs are children of this process and depend on the server no more. Where it died, the next job
    has a new one.

    Args:
        environment: variables of all jobs, which libraries read when they are loaded.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = UNBUFFERED | dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def fork(
        self, command: Sequence[str], environment: Mapping[str, str], output: BinaryIO
    ) -> ForkedProcess | None:
        """Fork a job; None where this system or its state does not allow it.

        Args:
            command: as it would be given to a new process.
            environment: variables of this job alone.
            output: the file that it prints to.
        """
        if sys.platform != "linux":
            return None
        request = json.dumps({"command": list(command), "environment": dict(environment)})
        before = self._process
        pid = self._request(request.encode(), output.fileno())
        if pid is None and before is not None:  # the server died since the last job
            pid = self._request(request.encode(), output.fileno())
        return ForkedProcess(pid) if pid is not None else None

    def _request(self, request: bytes, output: int) -> int | None:
        """The process id of a new job; None where there is no answer, and then no server either."""
        try:
            if self._process is None:
                self._start()
            assert self._channel is not None
            _adopt(True)
            socket.send_fds(self._channel, [request], [output])
            answer = self._channel.recv(100)
        except OSError as error:
            log.debug("no job can be forked: %s", error)
            answer = b""
        finally:
            with suppress(OSError):  # refused: then it was not allowed either
                _adopt(False)
        if not answer:
            self.close()
        return int(answer) if answer else None

    def close(self) -> None:
        """End the server; the jobs run on."""
        if self._process is not None and self._channel is not None:
            self._channel.close()
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> "JobServer":
        """The server, ended at the end."""
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                SERVER_COMMAND, env=os.environ | self._environment, start_new_session=True,
                stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip


def _adopt(wanted: bool) -> None:
    """Let this process adopt what processes below it leave, or no longer.

    Raises:
        OSError: the system refuses.
    """
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) != 0:
        raise OSError("prctl refuses PR_SET_CHILD_SUBREAPER")
