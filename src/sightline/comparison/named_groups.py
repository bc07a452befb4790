"""Groups of runs by parameters that are named, of any program that logs to MLflow."""

from collections.abc import Mapping, Sequence

from sightline.comparison.compared_run import ComparedRun
from sightline.config.influence import group_digest
from sightline.errors import UserError, did_you_mean
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.tracking.mlflow.tags import GROUP_DIGEST
from sightline.tracking.task import CLASSES, FOLDS

OF_A_TASK = ("label_mode", CLASSES, *FOLDS, "data.fold", "monitor")
DIGEST = "data.digest."


def grouped_by(
    stored: Mapping[str, StoredRun], names: Sequence[str], seeds: str | None
) -> list[ComparedRun]:
    """The runs with these parameters alone, and what tells tasks apart where they log it.

    Args:
        stored: by the run's key.
        names: of the parameters that runs of a group share; a run without one is of those without.
        seeds: the parameter that tells the runs of a group apart; None: all of them count.

    Raises:
        UserError: no run has such a parameter.
    """
    known = sorted({key for run in stored.values() for key in run.params})
    for option, name in [*(("group_by", each) for each in names), ("seeds", seeds)]:
        if name is not None and name not in known:
            raise UserError(
                f"{option}={name}: none of the {len(stored)} runs has this parameter."
                f"{did_you_mean(name, known)} They have: {', '.join(known[:30]) or 'none'}"
                f"{', ...' if len(known) > 30 else ''}."
            )
    return [_grouped(key, run, names, seeds) for key, run in stored.items()]


def _grouped(key: str, run: StoredRun, names: Sequence[str], seeds: str | None) -> ComparedRun:
    params = {name: run.params[name] for name in names if name in run.params}
    tags = {**run.tags, GROUP_DIGEST: group_digest(params)}
    if seeds is not None and seeds in run.params:
        params["seed"] = run.params[seeds]
    params |= {name: value for name, value in run.params.items()
               if name in OF_A_TASK or name.startswith(DIGEST)}  # fmt: skip
    return ComparedRun(key, run.name, run.status, params, run.metrics, tags)
