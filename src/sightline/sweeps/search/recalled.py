"""Trials of earlier commands, compared with the runs in their folders.

A byte that changed inside a value leaves a database that seems whole, and a search that would
continue from results that no run reached.
"""

import math

import optuna
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from sightline.errors import UserError, first_line
from sightline.io.redaction import redacted
from sightline.io.secrets import hide_password
from sightline.sweeps.search.plan import Search
from sightline.sweeps.search.spaces import sample_overrides
from sightline.sweeps.sweep import SweepJob

PUT_BACK = "Put back a copy of it, or give another hydra.sweep.dir for a new search."
TOLERANCE = 1e-9  # relative; some databases round what they store


def read_trials(study: optuna.Study, search: Search) -> list[FrozenTrial]:
    """The trials of earlier commands.

    Raises:
        UserError: the storage holds what Optuna cannot have written.
    """
    try:
        return study.get_trials(deepcopy=False)
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(
            f"{hide_password(search.storage)} is damaged: its trials cannot be read "
            f"({first_line(error)}). {PUT_BACK}"
        ) from error


def check_recalled(trial: FrozenTrial, job: SweepJob, search: Search) -> None:
    """Refuse a trial whose parameters or values are not those of its run.

    Args:
        trial: as Optuna's storage has it; one that was trained, not a copy of another.
        job: its run.
        search: with the spaces and the objectives.

    Raises:
        UserError: names the storage, the trial and both.
    """
    try:
        words = sample_overrides(FixedTrial(trial.params), search.spaces, search.fixed)
    except ValueError as error:
        raise _damaged(
            trial, job, search, f"its parameters are not of this search ({error})"
        ) from error
    lacking = [word for word in redacted(words) if word not in job.job.overrides]
    if lacking:
        ran = " ".join(job.job.overrides)
        raise _damaged(trial, job, search, f"it has {' '.join(lacking)}, but what ran is {ran}")
    results = job.folder.results() if trial.state == TrialState.COMPLETE else None
    if results is None:
        return
    parts = {"val_best": "val", "test": "test"}
    for (name, _), value in zip(search.sweep.objectives, trial.values, strict=True):
        prefix, _, key = name.partition("/")
        reached = results["metrics"].get(parts.get(prefix), {}).get(key)  # as the run ended
        if reached is not None and not math.isclose(value, reached, rel_tol=TOLERANCE):
            problem = f"its {name} is {value}, but its run reached {reached}"
            raise _damaged(trial, job, search, problem)


def _damaged(trial: FrozenTrial, job: SweepJob, search: Search, problem: str) -> UserError:
    return UserError(
        f"{hide_password(search.storage)} is damaged: trial {trial.number}: {problem} "
        f"({job.folder}). {PUT_BACK}"
    )
