"""The lock of a run's folder: held by one process, with a heartbeat that every machine sees.

The lock is a file made by a hard link, which is atomic on network file systems too. A process that
dies cannot remove it: its process id, or on another machine the heartbeat, shows that it is gone. A
process that was only frozen finds another token in the file when it wakes, and writes no more.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import UserError
from sightline.io.folders import PRIVATE, make_folder, remove_empty
from sightline.runs.lock_owner import (
    LOCK,
    LockOwner,
    file_system_time,
    lock_owner,
    os_lock,
    read_owner,
    this_process,
)

HEARTBEAT_S = 10
TAKING_OVER_S = 30  # after which an abandoned takeover is ignored


class LockLostError(UserError):
    """A folder that another process took over while this one was frozen."""


@dataclass(frozen=True)
class Fence:
    """The fencing token of one lock: what is checked before each write.

    Attributes:
        folder: the locked one.
        token: of the lock.
        holder: whether this process holds the lock. One that works for the holder, such as the
            sender, may also continue when the holder ended.
        took_over: whether the folder was taken over from a process that did not release it.
    """

    folder: Path
    token: str
    holder: bool
    took_over: bool = False

    def check(self) -> None:
        """Refuse to write where another process took the folder over.

        Raises:
            LockLostError: names that process.
        """
        owner = read_owner(self.folder)
        if owner is None and not self.holder:
            return
        if owner is None or owner.token != self.token:
            by = f"by process {owner.pid} on {owner.host}" if owner else "by another process"
            raise LockLostError(
                f"{self.folder} was taken over {by}: this process had shown no sign of life for "
                "too long (stopped, asleep, or without its file system). It stops here and writes "
                "no more; the other process has what was logged, and continues the run."
            )


@contextmanager
def run_lock(folder: Path) -> Iterator[Fence]:
    """Hold the folder inside; a heartbeat shows that this process lives.

    Raises:
        UserError: another process holds it.
    """
    made = make_folder(folder, PRIVATE)
    me = this_process()
    own = folder / f".alive.{me.token}"
    try:
        own.write_text(me.to_json(), encoding="utf-8")
        with os_lock(own) as descriptor:
            took_over = _take(folder, own)
            try:
                with _heartbeat(descriptor):
                    yield Fence(folder, me.token, holder=True, took_over=took_over)
            finally:
                with suppress(OSError):  # a disk that can no longer be written
                    held = read_owner(folder)
                    if held is not None and held.token == me.token:
                        _lock_of(folder).unlink(missing_ok=True)
    finally:
        with suppress(OSError):
            own.unlink(missing_ok=True)
        remove_empty(made)


def is_of_lock(name: str) -> bool:
    """Whether a file's name is one that locking gives."""
    return name == LOCK or name.startswith((".alive.", ".clock."))


def _take(folder: Path, own: Path) -> bool:
    """Take the lock; whether from a process that is gone."""
    took_over = False
    try:
        while True:
            with suppress(FileExistsError):
                os.link(own, _lock_of(folder))
                return took_over
            held = lock_owner(folder)
            if held is None:
                continue
            owner, silent_s = held
            if not owner.gone(silent_s):
                raise UserError(
                    f"{folder} is in use by process {owner.pid} on {owner.host} (last sign of life "
                    f"{silent_s:.0f} s ago): two processes cannot work on the same run. Wait until "
                    "it ends, or stop it."
                )
            _remove_dead(folder, owner)
            took_over = True
    finally:
        own.unlink(missing_ok=True)


def _remove_dead(folder: Path, owner: LockOwner) -> None:
    """Remove a dead process's lock; of several that try, one does."""
    taking_over = folder / ".alive.takeover"
    try:
        taking_over.mkdir()
    except FileExistsError:
        with suppress(FileNotFoundError):
            if file_system_time(folder) - taking_over.stat().st_mtime > TAKING_OVER_S:
                taking_over.rmdir()
        time.sleep(0.1)
        return
    try:
        held = read_owner(folder)
        if held is not None and held.token == owner.token:
            _lock_of(folder).unlink(missing_ok=True)
    finally:
        taking_over.rmdir()


@contextmanager
def _heartbeat(descriptor: int) -> Iterator[None]:
    """Touch the lock's own file, never that of a process that took the folder over."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_S):
            with suppress(OSError):  # a file system that is away for a while
                os.utime(descriptor)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _lock_of(folder: Path) -> Path:
    return folder / LOCK
