"""The lock of a run's folder: held by one process, with a heartbeat that every machine sees.

The lock is a file made by a hard link, which is atomic on network file systems too. A process that
dies cannot remove it: its process id, or on another machine the heartbeat, shows that it is gone.
"""

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from sightline.cluster.slurm import own_job
from sightline.errors import UserError
from sightline.io.atomic import make_private
from sightline.io.folders import make_folder, remove_empty

LOCK = "alive.json"
HEARTBEAT_S = 10
GONE_AFTER_S = 60  # without a heartbeat, seen from another machine
TAKING_OVER_S = 30  # after which an abandoned takeover is ignored


@dataclass(frozen=True)
class LockOwner:
    """The process that holds a folder's lock.

    Attributes:
        host: the machine, for people.
        space: where its process id counts: this start of the machine, this container.
        pid: the process id.
        started: when the process started, seconds since 1970: process ids come again.
        token: of this lock alone.
        slurm_job: the Slurm job, or None.
    """

    host: str
    space: str
    pid: int
    started: float
    token: str
    slurm_job: str | None

    @property
    def here(self) -> bool:
        """Whether its process id is one of this machine."""
        return self.space == _space()

    def gone(self, silent_s: float) -> bool:
        """Whether it is certain, or after this silence to be assumed, that it ended."""
        if not self.here:
            # Slurm starts a job again elsewhere only when it has ended here.
            if self.slurm_job is not None and self.slurm_job == own_job():
                return True
            return silent_s > GONE_AFTER_S
        try:
            process = psutil.Process(self.pid)
            ended = process.status() == psutil.STATUS_ZOMBIE  # dead, and nobody asked for its end
            return ended or abs(process.create_time() - self.started) > 1
        except psutil.NoSuchProcess:
            return True


def lock_owner(folder: Path) -> tuple[LockOwner, float] | None:
    """Who holds the folder and the seconds since its last heartbeat; None where nobody does."""
    path = _lock_of(folder)
    try:
        owner = LockOwner(**json.loads(path.read_text(encoding="utf-8")))
        return owner, max(0.0, _file_system_time(folder) - path.stat().st_mtime)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged; remove it if no run works in {folder}.") from error


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold the folder inside; a heartbeat shows that this process lives.

    Raises:
        UserError: another process holds it.
    """
    made = make_folder(folder)
    make_private(folder)
    me = LockOwner(platform.node(), _space(), os.getpid(), psutil.Process().create_time(),
               uuid.uuid4().hex, own_job())  # fmt: skip
    try:
        _take(folder, me)
    except BaseException:
        remove_empty(made)
        raise
    ended = threading.Event()
    beat = threading.Thread(target=_beat, args=[folder, me, ended], name="heartbeat", daemon=True)
    beat.start()
    try:
        yield
    finally:
        ended.set()
        beat.join()
        with suppress(OSError):  # a disk that can no longer be written: seen by the process id
            held = lock_owner(folder) if folder.is_dir() else None
            if held is not None and held[0].token == me.token:
                _lock_of(folder).unlink(missing_ok=True)
        remove_empty(made)


def is_of_lock(name: str) -> bool:
    """Whether a file's name is one that locking gives."""
    return name == LOCK or name.startswith((".alive.", ".clock."))


def _take(folder: Path, me: LockOwner) -> None:
    path = _lock_of(folder)
    own = folder / f".alive.{me.token}"
    own.write_text(json.dumps(asdict(me)), encoding="utf-8")
    try:
        while True:
            with suppress(FileExistsError):
                os.link(own, path)
                return
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
    finally:
        own.unlink(missing_ok=True)


def _remove_dead(folder: Path, owner: LockOwner) -> None:
    """Remove a dead process's lock; of several that try, one does."""
    taking_over = folder / ".alive.takeover"
    try:
        taking_over.mkdir()
    except FileExistsError:
        with suppress(FileNotFoundError):
            if _file_system_time(folder) - taking_over.stat().st_mtime > TAKING_OVER_S:
                taking_over.rmdir()
        time.sleep(0.1)
        return
    try:
        held = lock_owner(folder)
        if held is not None and held[0].token == owner.token:
            _lock_of(folder).unlink(missing_ok=True)
    finally:
        taking_over.rmdir()


def _beat(folder: Path, me: LockOwner, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_S):
        with suppress(OSError):  # a file system that is away for a while
            os.utime(_lock_of(folder))


def _lock_of(folder: Path) -> Path:
    return folder / LOCK


def _file_system_time(folder: Path) -> float:
    """Now, by the clock that gives files their times: a server's may differ from ours."""
    probe = folder / f".clock.{uuid.uuid4().hex}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        probe.unlink(missing_ok=True)


def _space() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{platform.node()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()
