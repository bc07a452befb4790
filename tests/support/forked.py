"""A `subprocess.Popen` that forks Sightline's processes from a server with the imports done.

A new Python process that trains or uploads spends 4 to 8 seconds of CPU on imports. Inside
`forking`, the commands that `_main_of` knows are forked instead from `support/forkserver.py`, and
everything else is started as ever. What is forked is a real process in all that a test or the
product can see: a child of its caller, with arguments in /proc/PID/cmdline, environment, working
folder, descriptors, session, process group, signal mask and a normal end.

Tests about what a new interpreter does use the fixture `new_processes`.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakSet

from execnet.gateway_io import popen_bootstrapline

ENTRY_POINTS = ("sightline.cli", "sightline.tracking.sender.process", "mlflow", "uvicorn",
                "torch.distributed.run", "sightline.sweeps.job_server")  # fmt: skip
# Environment that libraries read when imported: where it differs, a new process is started.
READ_BY_IMPORTS = ("HF_", "HUGGINGFACE_", "TORCH_", "TIMM", "MPL", "MKL_", "OPENBLAS", "ATEN_",
                   "ONEDNN", "HOME", "LD_", "PYTHON", "VIRTUAL_ENV", "ARROW_")  # fmt: skip
# TORCH_NCCL_...: torchrun sets it, for the backend of GPUs alone.
HANDLED = ("PYTHONPATH", "PYTHONUNBUFFERED", "TORCH_NCCL_ASYNC_ERROR_HANDLING")
PR_SET_CHILD_SUBREAPER = 36
ROOM = 8000  # bytes for the arguments that /proc shows of a forked process
SUPPORT = Path(__file__).resolve().parent
SIGHTLINE = str(Path(sys.executable).parent / "sightline")
Popen = subprocess.Popen


def _main_of(words: list[str]) -> list[str] | None:
    """What a command runs, as `-m MODULE ...`, `SCRIPT ...` or `-c CODE`; None: it is not forked.

    Of code given with `-c` pytest-xdist's workers alone are forked.
    """
    if words[0] == SIGHTLINE:
        return words
    if words[0] != sys.executable or len(words) < 2:
        return None
    main = words[2:] if words[1] == "-u" else words[1:]  # unbuffered: as torchrun starts ranks
    if (main[0] == "-m" and main[1] in ENTRY_POINTS) or main == ["-c", popen_bootstrapline]:
        return main
    if main[0] == SIGHTLINE or Path(main[0]).resolve().parent == SUPPORT:
        return main
    return None


class ForkServer:
    """The caller's end of a server; of use in the process alone that made it.

    Args:
        connect: gives the socket to the server; called at the first fork, as a start takes seconds.
        environment: that the server is started with.
        log: the server's output, shown where it died.
        figures: folder of the figures that the processes of this session have drawn.
    """

    def __init__(
        self, connect: Callable[[], socket.socket], environment: dict[str, str], log: Path,
        figures: Path,
    ) -> None:  # fmt: skip
        self.environment = environment
        self.log = log
        self.figures = figures
        self.owner = os.getpid()
        self._connect = connect
        self._channel: socket.socket | None = None
        self._lock = threading.Lock()
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl

    def serves(self, environment: dict[str, str]) -> bool:
        """Whether a process with this environment would have imported the same."""
        if os.getpid() != self.owner:
            return False
        names = {name for name in (*environment, *self.environment)
                 if name.startswith(READ_BY_IMPORTS) and name not in HANDLED}  # fmt: skip
        return all(environment.get(name) == self.environment.get(name) for name in names)

    def fork(self, request: dict[str, Any], descriptors: list[int]) -> int:
        """Have a process forked; its id, a child of this process."""
        with self._lock:
            if self._channel is None:
                self._channel = self._connect()
            # The server forks twice; this process adopts what the process in between leaves.
            self._prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._channel, [json.dumps(request).encode()], descriptors)
                answer = self._channel.recv(100)
            except OSError:
                answer = b""
            finally:
                self._prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        if not answer:
            raise RuntimeError(f"The fork server is gone.\n{self.log.read_text()}")
        return int(answer)


class ForkedPopen(subprocess.Popen):  # type: ignore[type-arg]
    """Forks from `server` where it can; `started` are the processes that somebody still knows."""

    server: ClassVar[ForkServer | None] = None
    started: ClassVar[WeakSet[ForkedPopen]] = WeakSet()

    def _execute_child(self, *positional: Any) -> None:
        ForkedPopen.started.add(self)
        given = inspect.signature(super()._execute_child).bind(*positional).arguments
        args, env, server = given["args"], given["env"], ForkedPopen.server
        words = [] if isinstance(args, str | bytes | os.PathLike) else [os.fspath(a) for a in args]
        main = _main_of(words) if words else None
        environment = {os.fspath(k): os.fspath(v) for k, v in (env or os.environ).items()}
        if words[1:2] == ["-u"]:
            environment["PYTHONUNBUFFERED"] = "1"
        special = given["shell"] or given["preexec_fn"] or given["pass_fds"]
        if main is None or special or server is None or not server.serves(environment):
            super()._execute_child(*positional)
            return
        ends = [given[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        request = {
            "main": main, "words": words, "env": environment,
            "cwd": str(given["cwd"] or Path.cwd()),
            "new_session": given["start_new_session"],
            "mask": [int(signum) for signum in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        }  # fmt: skip
        inherited = [number if end == -1 else end for number, end in enumerate(ends)]
        self.pid = server.fork(request, inherited)
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in (
            "p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")))  # fmt: skip


def end_started() -> None:
    """Kill the processes of `started` that still run, and close the pipes to them."""
    for process in list(ForkedPopen.started):
        if process.poll() is None:
            if os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what was written and never read
                    pipe.close()
    ForkedPopen.started.clear()


@contextmanager
def forking(log: Path) -> Iterator[ForkServer]:
    """Fork inside from this process's own server, or from a new one, whose output goes to `log`."""
    if ForkedPopen.server is not None:
        yield ForkedPopen.server
        return
    with serving(log) as server, forking_from(server):
        yield server


@contextmanager
def forking_from(server: ForkServer | None) -> Iterator[None]:
    """Fork from this server inside; None: from none."""
    before = ForkedPopen.server, subprocess.Popen
    ForkedPopen.server = server
    subprocess.Popen = ForkedPopen  # type: ignore[misc]
    try:
        yield
    finally:
        ForkedPopen.server, subprocess.Popen = before  # type: ignore[misc]


@contextmanager
def serving(log: Path) -> Iterator[ForkServer]:
    """A server with this process's environment, that ends at the end; its output goes to `log`."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # OpenBLAS reads it too
    figures = log.parent / "figures"
    figures.mkdir()
    with ExitStack() as ends:

        def connect() -> socket.socket:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            arguments = [str(theirs.fileno()), str(figures), " " * ROOM]
            command = [sys.executable, "-m", "support.forkserver", *arguments]
            with log.open("wb") as output, theirs:
                process = Popen(
                    command, cwd=SUPPORT.parent, env=environment, pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                )  # fmt: skip
            ends.callback(process.wait, 60)
            return ends.enter_context(ours)  # closed first: the server ends then

        yield ForkServer(connect, environment, log, figures)
