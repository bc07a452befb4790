"""What a training does at Slurm's signals, beside saving: at SIGUSR2 it has its job queued again.

SIGTERM is sent to a job that Slurm itself takes off its machine, and starts again where it is told
to (`--requeue`). SIGUSR2 is what people ask Slurm to send before the time limit
(`--signal=USR2@60`), after which Slurm would start nothing again; that the training does.
"""

import logging
import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType

from sightline.cluster.ranks import rank
from sightline.cluster.slurm import SlurmError, own_job, requeue, seconds_left

log = logging.getLogger(__name__)

LEAD_S = 20  # before the time limit: a batch and a save, and Slurm then waits some time more
EARLY_S = 60  # by how much Slurm may send a signal before it is due
ASK_EVERY_S = 2

_checkpoint: Path | None = None
_found_ns: int | None = None  # when the checkpoint was written that this start began with


def ignore_signals() -> None:
    """Do not die of what Slurm announces; from the start, long before there is anything to save."""
    if own_job() is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _go_on)
        signal.signal(signal.SIGUSR2, _start_again)


def watch(checkpoint: Path) -> None:
    """Say what shows that this start of the job brought the training on."""
    global _checkpoint, _found_ns
    _checkpoint, _found_ns = checkpoint, _written_ns(checkpoint)


def _go_on(signum: int, frame: FrameType | None) -> None:
    """Until killed: Slurm takes a job that left by itself for complete."""


def _start_again(signum: int, frame: FrameType | None) -> None:
    """In a thread: it is not to be waited for in a signal handler, or by the training."""
    if rank() == 0 and all(thread.name != __name__ for thread in threading.enumerate()):
        threading.Thread(target=_requeue_in_time, name=__name__, daemon=True).start()


def _requeue_in_time() -> None:
    """Have Slurm end this job and queue it again: now, or just before the limit where it is near.

    Not before something was saved: a job that reaches its limit before its first batch would do
    so for ever.
    """
    job = own_job()
    assert job is not None
    try:
        left_s = seconds_left(job)
        if left_s is not None and LEAD_S < left_s <= LEAD_S + EARLY_S:
            time.sleep(left_s - LEAD_S)
        while not _saved():
            os.kill(os.getpid(), signal.SIGUSR2)  # heeded by a training that has begun meanwhile
            time.sleep(ASK_EVERY_S)
        log.info("slurm:   job %s is queued again, and goes on from where it is", job)
        requeue(job)
    except SlurmError as error:
        log.warning("Slurm does not queue this job again (%s); it goes on.", error)


def _saved() -> bool:
    return _checkpoint is not None and _written_ns(_checkpoint) not in (None, _found_ns)


def _written_ns(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None
