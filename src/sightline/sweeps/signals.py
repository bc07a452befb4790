"""Signals received while a sweep runs: recorded by a handler, handled by the sweep's loop."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def record_signals() -> Iterator[list[int]]:
    """Record SIGINT (Ctrl-C) and SIGTERM in the list that is given; outside the main thread none.

    The handlers of before are restored at the end.
    """
    received: list[int] = []

    def record(signum: int, frame: FrameType | None) -> None:
        received.append(signum)

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {signum: signal.signal(signum, record) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
