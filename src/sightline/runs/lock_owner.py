"""The owner of a folder's lock: which process it is, and whether it still lives.

No clock decides on the machine of the owner: process ids come again, and the wall-clock time at
which a process started changes with the clock, but its start in ticks since boot does not.
"""

import fcntl
import json
import os
import platform
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import psutil
from pydantic import Field, TypeAdapter

from sightline.cluster.slurm import own_job
from sightline.errors import DamagedError, UserError
from sightline.io.stored_text import read_stored_text

LOCK = "alive.json"
GONE_AFTER_S = 60  # without a heartbeat, seen from another machine


@dataclass(frozen=True)
class LockOwner:
    """The process that holds a folder's lock.

    Attributes:
        host: the machine, for people.
        space: where its process id counts: this start of the machine, this container.
        pid: the process id.
        started: when the process started, seconds since 1970, for people.
        token: of this lock alone: the fencing token.
        slurm_job: the Slurm job, or None.
        ticks: when the process started, clock ticks since boot; None where no /proc says so.
        holds: whether the operating system says that its lock on the file is held; not stored.
    """

    host: str
    space: str
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    started: float
    token: str
    slurm_job: str | None
    ticks: int | None = None
    holds: bool = False

    @property
    def here(self) -> bool:
        """Whether its process id is one of this machine."""
        return self.space == space()

    def gone(self, silent_s: float) -> bool:
        """Whether it is certain, or after this silence to be assumed, that it ended."""
        if self.here:
            return self._ended()
        # Slurm starts a job again elsewhere only when it has ended here.
        if self.slurm_job is not None and self.slurm_job == own_job():
            return True
        return not self.holds and silent_s > GONE_AFTER_S

    def _ended(self) -> bool:
        """Whether its process on this machine is gone, or the id is another process's by now."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:  # dead, and nobody asked for its end
                return True
            ticks = start_ticks(self.pid)
            if self.ticks is None or ticks is None:
                return abs(process.create_time() - self.started) > 1
        except psutil.NoSuchProcess:
            return not self.holds  # another user's process may be hidden
        return ticks != self.ticks

    def to_json(self) -> str:
        """What the lock's file holds."""
        facts = asdict(self)
        del facts["holds"]
        return json.dumps(facts)


_OWNER = TypeAdapter(LockOwner)


def this_process() -> LockOwner:
    """This process as the owner of a new lock."""
    return LockOwner(platform.node(), space(), os.getpid(), psutil.Process().create_time(),
                     uuid.uuid4().hex, own_job(), start_ticks(os.getpid()))  # fmt: skip


def read_owner(folder: Path) -> LockOwner | None:
    """The owner of a folder's lock; None where nobody holds it.

    Raises:
        UserError: the lock's file is damaged.
    """
    path = folder / LOCK
    try:
        facts = read_stored_text(path)
        with path.open("rb") as stream:
            return replace(
                _OWNER.validate_json(facts, strict=True), holds=_is_locked(stream.fileno())
            )
    except FileNotFoundError:
        return None
    except (DamagedError, ValueError) as error:
        raise UserError(f"{path} is damaged; remove it if no run works in {folder}.") from error


def lock_owner(folder: Path) -> tuple[LockOwner, float] | None:
    """Who holds the folder and the seconds since its last heartbeat; None where nobody does."""
    try:
        owner = read_owner(folder)
        if owner is None:
            return None
        return owner, max(0.0, file_system_time(folder) - (folder / LOCK).stat().st_mtime)
    except FileNotFoundError:
        return None


@contextmanager
def os_lock(path: Path) -> Iterator[int]:
    """A file of one's own, locked by the operating system until the block or the process ends.

    Other machines see such a lock too, on the network file systems that pass locks on.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        _try_lock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    """Whether another process holds the operating system's lock on an open file."""
    return not _try_lock(descriptor, fcntl.LOCK_SH)


def _try_lock(descriptor: int, how: int) -> bool:
    """Lock an open file, or say that another process has; a file system may have no locks."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks here: the heartbeat has to do
        return True
    return True


def start_ticks(pid: int) -> int | None:
    """When a process started, clock ticks since boot (field 22 of /proc/PID/stat)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[19])  # the name in parentheses may hold anything


def file_system_time(folder: Path) -> float:
    """Now, by the clock that gives files their times: a server's may differ from ours."""
    probe = folder / f".clock.{uuid.uuid4().hex}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        probe.unlink(missing_ok=True)


def space() -> str:
    """Where a process id of this process's counts."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{platform.node()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()
