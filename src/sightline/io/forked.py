"""Processes forked from one that has the libraries loaded, which a new process loads for seconds.

A forked process is one of its own in all that others see: session, signals, descriptors,
environment, and arguments in the list of processes. Only a process without CUDA and without threads
that hold locks is forked.
"""

import atexit
import ctypes
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

ROOM = 4096  # bytes of arguments that a process keeps for the commands of those forked from it
LOADED = "--loaded"  # option of `sightline job`: this process was forked, and forks its sender


class ForkedProcess:
    """A child that was forked, with what is used of `subprocess.Popen`.

    Args:
        pid: its process id.

    Attributes:
        returncode: its exit status; minus the signal that killed it; None while it runs.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, if it ended."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        """The exit status, once it ended."""
        return self._wait(0)

    def kill(self) -> None:
        """Kill it, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:  # where SIGCHLD is ignored nobody learns how it ended
                pid, status = self.pid, 0
            if pid == self.pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def fork(
    run: Callable[[], int], command: Sequence[str], descriptors: Sequence[int],
    environment: Mapping[str, str],
) -> ForkedProcess:  # fmt: skip
    """Fork this process for a function, which ends with its exit status.

    Args:
        run: the function.
        command: that the list of processes shows.
        descriptors: its standard input, output and errors; all others are closed.
        environment: variables beside those of this process.
    """
    pid = os.fork()
    if pid == 0:
        _run_and_exit(run, command, descriptors, environment)
    return ForkedProcess(pid)


def lead_session() -> None:
    """Lead a session of its own, with the signal handlers of a new process."""
    os.setsid()
    for number in range(1, signal.NSIG):
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def become(
    command: Sequence[str], descriptors: Sequence[int], environment: Mapping[str, str]
) -> None:
    """Take what a new process would be given, and close what the parent holds open.

    Args:
        command: that the list of processes shows, cut where it is longer than the parent's.
        descriptors: its standard input, output and errors.
        environment: variables beside those of the parent.
    """
    moved = [os.dup(each) if each < 3 else each for each in descriptors]
    for number, descriptor in enumerate(moved):
        os.dup2(descriptor, number)
    for number in [int(each.name) for each in Path("/proc/self/fd").iterdir()]:
        if number > 2:
            with suppress(OSError):  # that of the list itself
                os.close(number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  the parent's has read another file
    logging.getLogger().handlers.clear()
    os.environ.update(environment)
    show(command)


def show(command: Sequence[str]) -> None:
    """Write a command into the place of this process's arguments, where `ps` reads them."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])  # arg_start and arg_end
    shown = b"\0".join(os.fsencode(word) for word in command)[: end - begin - 1]
    ctypes.memmove(begin, shown.ljust(end - begin, b"\0"), end - begin)


def run_main(run: Callable[[], object]) -> NoReturn:
    """Run a main function and end as the interpreter does, but take no modules apart.

    With the libraries loaded that takes seconds, and the memory that processes share is copied.
    """
    status: object = 1
    try:
        status = run()
    except SystemExit as leaving:
        status = leaving.code
        if isinstance(status, str):
            print(status, file=sys.stderr)
    except BaseException:  # noqa: BLE001  as the interpreter does
        sys.excepthook(*sys.exc_info())
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a full disk; a closed pipe
            stream.flush()
    os._exit(status & 0xFF if isinstance(status, int) else int(status is not None))


def _run_and_exit(
    run: Callable[[], int], command: Sequence[str], descriptors: Sequence[int],
    environment: Mapping[str, str],
) -> NoReturn:  # fmt: skip
    """Run it, and end without what the parent has registered for its own end."""
    status = 1
    try:
        lead_session()
        become(command, descriptors, environment)
        status = run()
    except BaseException:  # noqa: BLE001  nothing may return into the parent's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
