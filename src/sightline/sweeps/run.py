"""Running a sweep: slots, one process a job, until no job is missing or too many failed."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from sightline.alive import working_in
from sightline.config import Job, TrainConfig
from sightline.errors import Interrupted, UserError
from sightline.progress import log_to
from sightline.run_folder import read_results
from sightline.sweeps.plan import Sweep
from sightline.sweeps.slots import Slot, make_slots
from sightline.sweeps.summary import SweepTracker, job_error
from sightline.tracking.secrets import credentials_for_children

log = logging.getLogger(__name__)

POLL_S = 0.2


@dataclass
class Running:
    """A job's process, in a slot."""

    number: int
    job: Job
    slot: Slot
    process: subprocess.Popen[str]
    reader: threading.Thread


def run_sweep(sweep: Sweep, n_jobs: int) -> None:
    """Run the jobs that did not finish, each in a process of its own.

    Args:
        sweep: planned.
        n_jobs: how many at a time.

    Raises:
        UserError: jobs failed; the summary says which and why.
        Interrupted: a signal stopped the sweep; the jobs that ran saved their state.
    """
    if n_jobs < 1:
        raise UserError(f"hydra.launcher.n_jobs={n_jobs}: expected at least 1.")
    with working_in(sweep.folder), log_to(sweep.folder / "sweep.log"):
        waiting = [
            (number, config, job)
            for number, (config, job) in enumerate(sweep.jobs)
            if read_results(job.output_dir) is None
        ]
        done = len(sweep.jobs) - len(waiting)
        log.info("sweep:   %s, %d jobs%s", sweep.name, len(sweep.jobs),
                 f", {done} of them finished before" if done else "")  # fmt: skip
        tracker = SweepTracker(sweep)
        try:
            with noting_signals() as came:
                errors = _run_all(sweep, waiting, make_slots(n_jobs, sweep.jobs), tracker, came)
        finally:
            tracker.close()
        if came:
            raise Interrupted(came[0])
    report_failures(sweep, errors)


def report_failures(sweep: Sweep, errors: dict[int, str]) -> None:
    """Say which jobs failed and why.

    Raises:
        UserError: where any did.
    """
    if errors:
        said = "".join(f"\n  job {number}: {error}" for number, error in sorted(errors.items()))
        raise UserError(
            f"{len(errors)} job{'s' * (len(errors) > 1)} of the sweep failed:{said}\n"
            f"{sweep.folder / 'summary.csv'} has it all. The same command runs what is missing."
        )


def _run_all(
    sweep: Sweep,
    waiting: list[tuple[int, TrainConfig, Job]],
    free: list[Slot],
    tracker: SweepTracker,
    came: list[int],
) -> dict[int, str]:
    """Run all; the errors of those that failed, by the job's number."""
    limit = sweep.jobs[0][0].sweep.max_failures
    running: list[Running] = []
    errors: dict[int, str] = {}
    while running or (waiting and not came):
        too_many = limit is not None and len(errors) >= limit
        while waiting and free and not came and not too_many:
            number, config, job = waiting.pop(0)
            running.append(_start(number, config, job, free.pop(0)))
        if not running:
            log.warning("sweep.max_failures=%s: %d jobs are not started.", limit, len(waiting))
            break
        time.sleep(POLL_S)
        for each in [r for r in running if r.process.poll() is not None]:
            running.remove(each)
            free.append(each.slot)
            each.reader.join(timeout=5)  # its last lines come before what is said of its end
            status = each.process.returncode
            if status != 0 and not came:
                errors[each.number] = job_error(each.job.output_dir, status)
                log.error("job %d failed: %s", each.number, errors[each.number])
            tracker.update(errors)
    return errors


def _start(number: int, config: TrainConfig, job: Job, slot: Slot) -> Running:
    log.info("job %d:   %s", number, " ".join(job.overrides))
    environment = os.environ | slot.environment | credentials_for_children(config.tracking.uri)
    process = subprocess.Popen(
        [sys.executable, "-m", "sightline.cli", "job", str(job.output_dir)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace",
    )  # fmt: skip
    reader = threading.Thread(target=_repeat, args=[process, f"[{number}] "], daemon=True)
    reader.start()
    return Running(number, job, slot, process, reader)


def _repeat(process: subprocess.Popen[str], prefix: str) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            print(f"{prefix}{line}", end="", flush=True)


@contextmanager
def noting_signals() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM inside."""
    came: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        came.append(signum)

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
