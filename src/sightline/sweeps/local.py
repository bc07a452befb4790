"""The loop over jobs in processes of this machine: slots, signals passed on, ends recorded."""

import logging
import signal
import time

from sightline.sweeps.forked_jobs import JobServer
from sightline.sweeps.jobs import Jobs, announce_job, record_end
from sightline.sweeps.process import Running, error_of, running_pid, start
from sightline.sweeps.progress import shown
from sightline.sweeps.signals import record_signals
from sightline.sweeps.slots import Slot
from sightline.sweeps.summary import SweepTracker
from sightline.sweeps.sweep import Sweep

log = logging.getLogger(__name__)

POLL_S = 0.2
KILL_AFTER_S = 15  # from a second signal until jobs that still run are killed


def run_jobs(jobs: Jobs, free: list[Slot], tracker: SweepTracker, sweep: Sweep) -> None:
    """Run all jobs, as many at a time as there are slots.

    Args:
        jobs: which to start.
        free: the slots.
        tracker: of the sweep; a signal that stopped it is recorded there.
        sweep: the jobs by their numbers.
    """
    running: list[Running] = []
    limit = sweep.max_failures
    server = JobServer(free[0].environment)
    with server, record_signals() as received, shown(sweep) as progress:
        handled = 0
        while True:
            too_many = limit is not None and len(tracker.errors) >= limit
            while free and not received and not too_many:
                number = jobs.next_job()
                if number is None:
                    break
                running.append(_start(number, sweep, free.pop(0), server))
                tracker.update_table({each.number for each in running})
            if not running:
                break
            time.sleep(POLL_S)
            handled = _pass_on(received, handled, running)
            for each in list(running):
                gone = each.ended()
                each.repeat_output()
                progress.update(running)
                if jobs.should_prune(each.number):
                    each.send(signal.SIGINT)
                if gone:
                    running.remove(each)
                    _after(each, running, jobs, tracker, free, server, bool(received))
        if received:
            tracker.stopped_by = received[0]
        elif too_many:
            log.warning("sweep.max_failures=%s is reached: no further job is started.", limit)


def _start(number: int, sweep: Sweep, slot: Slot, server: JobServer) -> Running:
    job = sweep.jobs[number]
    running = start(number, job, slot, server)
    note = "" if running.process else f" (running already, process {running.pid})"
    announce_job(number, job, note)
    return running


def _after(
    each: Running, running: list[Running], jobs: Jobs, tracker: SweepTracker, free: list[Slot],
    server: JobServer, stopping: bool,
) -> None:  # fmt: skip
    """Record a job that ended; restart one that an earlier command started and that was lost."""
    error = error_of(each)
    folder = each.job.folder
    lost = each.process is None or running_pid(folder) is not None
    if error is not None and lost and not stopping and folder.pruned is None:
        running.append(_start(each.number, tracker.sweep, each.slot, server))
        return
    free.append(each.slot)
    each.send(signal.SIGKILL)  # ranks that its first process left behind
    if not stopping:
        record_end(jobs, tracker, each.number, error)
    tracker.update({each.number for each in running})


def _pass_on(received: list[int], handled: int, running: list[Running]) -> int:
    """Pass new signals on to the jobs; those that a second one does not end are killed.

    Args:
        received: signals, in their order.
        handled: how many of them were passed on before.
        running: the jobs.

    Returns:
        how many are passed on now.
    """
    for signum in received[handled:]:
        for each in running:
            each.send(signum)
        if len(received) > 1:
            deadline = time.monotonic() + KILL_AFTER_S
            while time.monotonic() < deadline and not all(each.ended() for each in running):
                time.sleep(POLL_S)
            for each in running:
                if not each.ended():
                    each.send(signal.SIGKILL)
    return len(received)
