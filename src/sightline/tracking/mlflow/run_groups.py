"""Runs of a group: the seeds and folds of one config."""

from sightline.errors import UserError, did_you_mean
from sightline.io.secrets import hide_password
from sightline.tracking.mlflow import tags
from sightline.tracking.mlflow.client import open_client
from sightline.tracking.mlflow.errors import STORE_ERRORS, unanswered
from sightline.tracking.mlflow.queries import is_training, runs_of_experiment
from sightline.tracking.mlflow.stored_run import StoredRun


def runs_of_group(name: str, uri: str | None) -> list[StoredRun]:
    """The finished trainings of a group, over all experiments.

    Args:
        name: of the group, its beginning, or the first digits of its digest.
        uri: of the store.

    Raises:
        UserError: there is no such group, or the name is of several.
    """
    client = open_client(uri)
    try:
        experiments = [each.name for each in client.search_experiments()]
    except STORE_ERRORS as error:
        raise unanswered(client.tracking_uri, error) from error
    groups: dict[str, list[StoredRun]] = {}
    for run in (run for each in experiments for run in runs_of_experiment(each, uri)):
        group = run.params.get(tags.GROUP)
        if group and is_training(run) and run.status == "FINISHED" and not _is_ensemble(run):
            groups.setdefault(group, []).append(run)
    near = [name] if name in groups else [
        each for each in groups
        if each.startswith(name) or each.rpartition("#")[2].startswith(name.lstrip("#"))
    ]  # fmt: skip
    if len(near) == 1:
        return groups[near[0]]
    if near:
        listed = "; ".join(sorted(near)[:10])
        raise UserError(f"group:{name} is the beginning of {len(near)} groups: {listed}.")
    raise UserError(
        f"group:{name}: no finished run of {hide_password(client.tracking_uri)} is of this group."
        f"{did_you_mean(name, groups)} It has: {'; '.join(sorted(groups)[:10]) or 'none'}."
    )


def _is_ensemble(run: StoredRun) -> bool:
    return tags.ENSEMBLE in run.tags
