"""What a training does at Slurm's signals, beside saving: at SIGUSR2 it has its job started again.

SIGTERM is sent to a job that Slurm itself takes off its machine, and starts again where it is told
to (`--requeue`). SIGUSR2 is what people ask Slurm to send before the time limit
(`--signal=USR2@60`), after which Slurm would start nothing again; that the training does.
"""

import logging
import signal
import threading
import time
from types import FrameType

from sightline.ranks import rank
from sightline.slurm import SlurmError, own_job, requeue, seconds_left

log = logging.getLogger(__name__)

LEAD_S = 20  # before the time limit: a batch and a save, and Slurm then waits some time more
EARLY_S = 60  # by how much Slurm may send a signal before it is due


def outlive_signals() -> None:
    """Do not die of what Slurm announces; from the start, long before there is anything to save."""
    if own_job() is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _go_on)
        signal.signal(signal.SIGUSR2, _start_again)


def _go_on(signum: int, frame: FrameType | None) -> None:
    """Until killed: Slurm takes a job that left by itself for complete."""


def _start_again(signum: int, frame: FrameType | None) -> None:
    """In a thread: it is not to be waited for in a signal handler, or by the training."""
    if rank() == 0 and all(thread.name != __name__ for thread in threading.enumerate()):
        threading.Thread(target=_requeue_in_time, name=__name__, daemon=True).start()


def _requeue_in_time() -> None:
    """Have Slurm kill this job and queue it again: now, or where the limit is near just before."""
    job = own_job()
    assert job is not None
    try:
        left_s = seconds_left(job)
        if left_s is not None and LEAD_S < left_s <= LEAD_S + EARLY_S:
            time.sleep(left_s - LEAD_S)
        log.info("slurm:   job %s is queued again, and goes on from where it is", job)
        requeue(job)
    except SlurmError as error:
        log.warning("Slurm does not queue this job again (%s); it goes on.", error)
