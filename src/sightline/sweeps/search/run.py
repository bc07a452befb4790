"""The run of a search: trials until there are `n_trials`, on this machine or on Slurm."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sightline.errors import UserError
from sightline.io.secrets import hide_password
from sightline.runs.folder import RunFolder
from sightline.sweeps.local import run_jobs
from sightline.sweeps.run import raise_failures, tracked
from sightline.sweeps.search.plan import Search, launch_search
from sightline.sweeps.search.samplers import make_pruner, make_sampler, open_study, quiet
from sightline.sweeps.search.summary import SearchTracker
from sightline.sweeps.search.trials import Trials
from sightline.sweeps.signals import record_signals
from sightline.sweeps.slots import check_n_jobs, make_slots
from sightline.sweeps.slurm.jobs import SlurmJobs
from sightline.sweeps.slurm.run import submit_and_wait
from sightline.sweeps.slurm.submission import SlurmOptions, processes

log = logging.getLogger(__name__)


def search_here(search: Search, n_jobs: int) -> None:
    """Run trials until there are `n_trials`, those of earlier commands included.

    Args:
        search: planned.
        n_jobs: how many trials at a time.

    Raises:
        UserError: trials failed, or an option or the storage is wrong.
        Interrupted: a signal stopped the search.
    """
    check_n_jobs(n_jobs)
    slots = make_slots(n_jobs, [search.sample])
    with _searching(search) as trials:
        trials.tracker.start()
        run_jobs(trials, slots, trials.tracker, search.sweep)


def search_on_slurm(search: Search, options: SlurmOptions) -> None:
    """Run trials as jobs of Slurm until there are `n_trials`, `options.n_jobs` of them at a time.

    This process samples the trials. Trials in Slurm run on without it; the same command finds
    them again, and samples the next.

    Raises:
        UserError: Slurm refuses a job, trials failed, or an option or the storage is wrong.
        Interrupted: a signal ended the waiting; the trials in Slurm run on.
    """
    if options.n_jobs is None:
        raise UserError(
            "hydra.launcher.n_jobs=null: a search learns from the trials that ended, so say how "
            "many are in Slurm at a time, such as hydra.launcher.n_jobs=4."
        )
    processes(search.sample, options.gpus)  # raises before anything is written
    with record_signals() as received, _searching(search) as trials:
        jobs = SlurmJobs(search.sweep, options, trials, trials.tracker)
        submit_and_wait(jobs, options.n_jobs, received)


@contextmanager
def _searching(search: Search) -> Iterator[Trials]:
    """Open the study for its trials; at the end raise where some failed."""
    quiet()
    options, sweep = search.options, search.sweep
    make_sampler(options.sampler, options.sampler_options, options.seed, 0)
    pruner = make_pruner(options.pruner, options.pruner_options)
    with tracked(sweep, SearchTracker) as tracker:
        assert isinstance(tracker, SearchTracker)
        study = open_study(search.study_name, search.storage, search.directions, pruner, sweep.new)
        launch_search(search)
        tracker.study = study
        trials = Trials(search, study, tracker)
        if not trials.all and (first := RunFolder(sweep.folder.path / "0")).trace() is not None:
            raise UserError(
                f"{hide_password(search.storage)} lost the trials of this search, such as that in "
                f"{first}. Put back a copy of it, or give another hydra.sweep.dir."
            )
        before = len(trials.all) - len(trials.interrupted)
        log.info("search:  %s, %d of %d trials done", sweep.name, before, options.n_trials)
        yield trials
    raise_failures(tracker)
