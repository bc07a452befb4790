"""Names of runs beside id and folder: an id's beginning, a name, `latest`, `best:METRIC`, a model.

All of them are looked up in one tracking store, over all of its experiments.
"""

import re
from collections.abc import Iterator, Sequence

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException

from sightline.errors import UserError
from sightline.io.secrets import hide_password
from sightline.metrics.monitor import direction_of
from sightline.runs.known_names import (
    BEST,
    LATEST,
    MODEL,
    SHORTEST_ID,
    logged_metric,
    model_named,
    no_training,
    unknown_model,
    unknown_run,
)
from sightline.tracking.mlflow import tags
from sightline.tracking.task import task_facts

SHOWN = 5  # runs, or names, in a message
PAGE = 200  # runs in one request; 1,000 with 120 values each take a busy server too long


def run_of_name(client: MlflowClient, name: str) -> Run:
    """The run that a name stands for; see `known_names.FORMS`.

    Raises:
        UserError: there is none, or the name stands for several.
        MlflowException: the store does not answer.
    """
    if name == LATEST:
        return _latest(client)
    if name.startswith(BEST):
        return _best(client, name.removeprefix(BEST))
    if name.startswith(MODEL):
        return _of_model(client, name)
    # MLflow's filters have no escape for a quote.
    wanted = "" if "'" in name else f"attributes.run_name = '{name}'"
    found = [run for run in _search(client, wanted) if run.info.run_name == name]
    if not found and len(name) >= SHORTEST_ID and re.fullmatch(r"[0-9a-f]+", name):
        found = list(_search(client, f"attributes.run_id LIKE '{name}%'"))
    if len(found) == 1:
        return found[0]
    if not found:
        names = [str(run.info.run_name) for run in _search(client)]
        raise unknown_run(name, client.tracking_uri, names)
    store = hide_password(client.tracking_uri)
    raise UserError(f"run={name}: {len(found)} runs of {store} have this name; give the id of one: "
                    f"{_listed(found)}.")  # fmt: skip


def _latest(client: MlflowClient) -> Run:
    run = next(_trainings(client), None)
    if run is None:
        raise no_training(LATEST, client.tracking_uri)
    return run


def _best(client: MlflowClient, key: str) -> Run:
    """The run with the best value at its best checkpoint, among those of one task."""
    logged = logged_metric(key)
    found = [run for run in _trainings(client) if logged in run.data.metrics]
    if not found:
        raise no_training(f"{BEST}{key}", client.tracking_uri, f" with the metric {logged}")
    tasks = {(*task.key, task.classes): task.title
             for task in (task_facts(run.data.params) for run in found)}  # fmt: skip
    if len(tasks) > 1:
        raise UserError(
            f"run={BEST}{key}: the runs are of {len(tasks)} tasks, whose values do not compare ("
            f"{'; '.join(list(tasks.values())[:SHOWN])}). `sightline compare` ranks each; give the "
            "run's id."
        )
    choose = max if direction_of(key, ()) == "max" else min
    return choose(found, key=lambda run: run.data.metrics[logged])


def _of_model(client: MlflowClient, name: str) -> Run:
    """The run of a registered model's version: `models:/NAME@ALIAS` or `models:/NAME/VERSION`."""
    model, alias, version = model_named(name)
    try:
        if alias is not None:
            found = client.get_model_version_by_alias(model, alias)
        else:
            found = client.get_model_version(model, str(version))
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        names = [each.name for each in client.search_registered_models()]
        raise unknown_model(name, client.tracking_uri, names) from error
    return client.get_run(str(found.run_id))


def _trainings(client: MlflowClient) -> Iterator[Run]:
    """Finished trainings, the newest first."""
    for run in _search(client, "attributes.status = 'FINISHED'"):
        if tags.KIND not in run.data.tags and tags.RUN_FOLDER in run.data.tags:
            yield run


def _search(client: MlflowClient, wanted: str = "") -> Iterator[Run]:
    """Runs that are not deleted, the newest first, a page at a time."""
    experiments = [each.experiment_id for each in client.search_experiments()]
    token = None
    while experiments:
        page = client.search_runs(
            experiments, wanted, ViewType.ACTIVE_ONLY, PAGE,
            ["attributes.start_time DESC"], token,
        )  # fmt: skip
        yield from page
        token = page.token
        if not token:
            return


def _listed(runs: Sequence[Run]) -> str:
    more = f", and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
    return ", ".join(f"{run.info.run_id}" for run in runs[:SHOWN]) + more
