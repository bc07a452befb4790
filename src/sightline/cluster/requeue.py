"""Slurm's signals to a training, beside saving: SIGTERM is survived, SIGUSR2 requeues the job.

Slurm sends SIGTERM to a job that it preempts, and requeues it itself (`--requeue`). SIGUSR2 is
sent before the time limit on request (`--signal=USR2@60`); a job that reaches its limit is not
requeued by Slurm, so the training requeues it.
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

LEAD_S = 20  # before the time limit: for a batch and a save; Slurm's own grace time comes after
EARLY_S = 60  # by which Slurm may send a signal too early
ASK_EVERY_S = 2

_checkpoint: Path | None = None
_found_ns: int | None = None  # modification time of the checkpoint that this start resumed from


def ignore_signals() -> None:
    """Survive Slurm's signals from the start of the process, before there is anything to save."""
    if own_job() is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _ignore)
        signal.signal(signal.SIGUSR2, _requeue_in_thread)


def watch(checkpoint: Path) -> None:
    """Set the checkpoint whose change shows that this start of the job made progress."""
    global _checkpoint, _found_ns
    _checkpoint, _found_ns = checkpoint, _modified_ns(checkpoint)


def _ignore(signum: int, frame: FrameType | None) -> None:
    """Train until killed: Slurm counts a job that exits by itself as completed."""


def _requeue_in_thread(signum: int, frame: FrameType | None) -> None:
    """Requeue in a thread: neither the signal handler nor the training waits for Slurm."""
    if rank() == 0 and all(thread.name != __name__ for thread in threading.enumerate()):
        threading.Thread(target=_requeue_in_time, name=__name__, daemon=True).start()


def _requeue_in_time() -> None:
    """Have Slurm end and requeue this job: now, or just before the limit where it is near.

    Not before a checkpoint was saved: a job that reaches its limit before its first batch would
    be requeued for ever.
    """
    job = own_job()
    assert job is not None
    try:
        left_s = seconds_left(job)
        if left_s is not None and LEAD_S < left_s <= LEAD_S + EARLY_S:
            time.sleep(left_s - LEAD_S)
        while not _saved():
            os.kill(os.getpid(), signal.SIGUSR2)  # handled by a training that has started meanwhile
            time.sleep(ASK_EVERY_S)
        log.info("slurm:   job %s is requeued, and resumes from its checkpoint", job)
        requeue(job)
    except SlurmError as error:
        log.warning("Slurm does not requeue this job (%s); it continues.", error)


def _saved() -> bool:
    return _checkpoint is not None and _modified_ns(_checkpoint) not in (None, _found_ns)


def _modified_ns(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None
