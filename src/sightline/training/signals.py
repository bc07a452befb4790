"""The signals of a training: to stop, or under Slurm to save; handled where a batch ends."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from sightline.errors import Interrupted

LEAVE = 256  # added to a signal's number where the run is to stop, so that it outweighs saving


class Signals:
    """Notes signals while `deferring`; else they act at once.

    Ctrl-C and SIGTERM stop the run, a second one without saving. Under Slurm, SIGTERM and SIGUSR2
    announce that the job is taken off its machine: the run saves and continues until it is killed,
    so that Slurm starts it again; a handler that was there before (submitit's) is called too.

    Attributes:
        deferring: whether `requested` is handled at the next batch.
        requested: 0, or the signal that was received, plus `LEAVE` where the run is to stop.
    """

    def __init__(self) -> None:
        in_slurm = "SLURM_JOB_ID" in os.environ
        self.leaving = {signal.SIGINT} if in_slurm else {signal.SIGINT, signal.SIGTERM}
        self.saving = {signal.SIGTERM, signal.SIGUSR2} if in_slurm else set()
        self.deferring = False
        self.requested = 0
        self._before: dict[signal.Signals, Any] = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals inside; elsewhere they are as they were."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python allows handlers in the main thread alone
            return
        for signum in self.leaving | self.saving:
            self._before[signum] = signal.signal(signum, self._handle)
        try:
            yield
        finally:
            for signum, handler in self._before.items():
                signal.signal(signum, handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        leave = signum in self.leaving
        if leave and (not self.deferring or self.requested >= LEAVE):
            raise Interrupted(signum, at_once=self.deferring)
        if not self.deferring:  # nothing is to be saved
            self._pass_on(signum)
            return
        self.requested = max(self.requested, signum + LEAVE * leave)
        what = "stopping after this batch (once more to stop at once)" if leave else "saving"
        # Not the log: the signal may have come while its stream was being written to.
        os.write(2, f"{signal.Signals(signum).name}: {what}\n".encode())

    def act(self, request: int) -> None:
        """Do what the signal requested, now that everything is saved.

        Raises:
            Interrupted: the run is to stop.
        """
        self.requested = 0
        if request >= LEAVE:
            self.deferring = False
            raise Interrupted(request - LEAVE)
        self._pass_on(request)

    def _pass_on(self, signum: int) -> None:
        before: Callable[[int, FrameType | None], Any] | Any = self._before.get(
            signal.Signals(signum)
        )
        if callable(before):
            before(signum, None)
