"""Saved views of an experiment's runs, of one task each: values of different tasks never mix.

MLflow's UI stores the state of a shared view as JSON in the experiment's tag
`mlflow.sharedViewState.KEY` and opens it with `&viewStateShareKey=KEY`. Its menu "Views" lists
those with a name, and lets people save their own while there are less than 40: so sweeps' views
have none. Seen in MLflow 3.17.
"""

import base64
import hashlib
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sightline.tracking.mlflow.tags import GROUP, SWEEP, shared_view
from sightline.tracking.task import TaskFacts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

COLUMNS = ("params.`model`", "params.`optimizer.lr`")  # more would push the results out of sight
STARTED = "attributes.start_time"
FORMER = ("leaderboard", "curves")  # of each experiment
LOSSES, CURVES = (
    ("val/loss", "train/loss"),
    ("train/lr", "val/accuracy", "val/average_precision_macro"),
)
BARS = ("val_best/accuracy", "val_best/loss", "test/accuracy", "train/images_per_second")
LINE: Mapping[str, Any] = {
    "xAxisKey": "step",
    "xAxisScaleType": "linear",
    "scaleType": "linear",
    "range": {},
    "lineSmoothness": 0,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}
GROUPED: Mapping[str, Any] = {  # mean curves over the seeds and folds of a config
    "groupBy": {
        "aggregateFunction": "average",
        "groupByKeys": [{"mode": "param", "groupByData": GROUP}],
    },
    "useGroupedValuesInCharts": True,
}


def leaderboard_key(task: TaskFacts) -> str:
    """The key of the leaderboard of a task's runs."""
    return f"leaderboard-{task.name}"


def curves_key(task: TaskFacts) -> str:
    """The key of the view of a task's curves."""
    return f"curves-{task.name}"


def task_views(
    task: TaskFacts, monitor: str, maximise: bool, results: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """The views of one task's runs by their keys: a leaderboard, and curves by group.

    MLflow orders a table's columns by attributes, metrics, parameters and tags, and shows metrics
    with all their digits under the ends of their names. So of metrics there is the one that ranks,
    and the results are tags, with short names and as many digits as their intervals warrant.

    Args:
        task: of the runs.
        monitor: `val/...`, what the best checkpoint is chosen by: the best run comes first.
        maximise: whether a larger value of it is better.
        results: tags with results, as `result` names them.
    """
    best = monitor.replace("val/", "val_best/", 1)
    ranked = _ranked(task.search_filter, best, maximise)
    of = f"{task.title} ({task.name.rpartition('-')[2]})"
    shown = [ranked["orderByKey"], *COLUMNS, *(f"tags.`{tag}`" for tag in results)]
    columns = {"selectedColumns": shown}
    curves = {
        "compareRunSections": [
            {"uuid": "compare", "name": "compare", "display": True, "isReordered": True}
        ],
        "compareRunCharts": _charts("compare", (*LOSSES, monitor, *CURVES), (best, *BARS)),
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }
    return {
        leaderboard_key(task): {"name": f"leaderboard: {of}"} | ranked | columns,
        curves_key(task): {"name": f"curves: {of}"} | ranked | columns | curves | dict(GROUPED),
    }


def view_key(sweep: str, task: TaskFacts | None = None) -> str:
    """The key of a sweep's own view, or of that of one of its tasks."""
    key = f"sweep-{hashlib.blake2b(sweep.encode(), digest_size=6).hexdigest()}"
    return key if task is None else f"{key}-{task.name}"


def sweep_view(
    sweep: str, swept: Sequence[str], metrics: Sequence[str], maximise: bool, grouped: bool,
    task: TaskFacts | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A view of the runs of one sweep that have one task: swept values beside results, best first.

    Args:
        sweep: its name, the tag `sweep` of its runs.
        swept: the keys that differ between them.
        metrics: that they are compared by.
        maximise: whether a larger value of the first is better.
        grouped: whether it opens by groups, with mean curves over seeds and folds.
        task: of the runs that it shows; None: all of the sweep's have one.
    """
    wanted = [f"tags.{SWEEP} = '{sweep}'"]
    wanted += [task.search_filter] if task is not None else []
    return (
        _ranked(" and ".join(wanted), metrics[0], maximise)
        | _swept_columns(swept, metrics)
        | (dict(GROUPED) if grouped else {})
    )


def unranked_view(sweep: str, swept: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    """A view of the runs of a sweep over several tasks, in the order of their start."""
    return {
        "searchFilter": f"tags.{SWEEP} = '{sweep}'",
        "orderByKey": STARTED,
        "orderByAsc": True,
    } | _swept_columns(["label_mode", "data", *swept], metrics)


def replace_former_views(client: "MlflowClient", experiment: "Experiment") -> None:
    """Order the views of earlier versions, which rank runs of all tasks, by the start of runs."""
    by_start = {"orderByKey": STARTED, "orderByAsc": False, "selectedColumns": list(COLUMNS)}
    for key in map(shared_view, FORMER):
        if experiment.tags.get(key, json.dumps(by_start)) != json.dumps(by_start):
            client.set_experiment_tag(experiment.experiment_id, key, json.dumps(by_start))


def save_view(
    client: "MlflowClient", experiment_id: str, key: str, view: Mapping[str, Any]
) -> None:
    """Store one view with the experiment; one with a name in the form that the menu lists.

    The state stands in it twice: compressed, and by its keys for servers without this form.
    """
    stored = dict(view)
    if "name" in view:
        state = base64.b64encode(zlib.compress(json.dumps(view).encode(), 9)).decode()
        stored |= {"createdAt": int(time.time() * 1000), "state": f"deflate;{state}"}
    text = json.dumps(stored, separators=(",", ":"))  # servers differ in how much they take
    client.set_experiment_tag(experiment_id, shared_view(key), text)


def _ranked(wanted: str, metric: str, maximise: bool) -> dict[str, Any]:
    """The part of a view that says which runs it shows, the best first."""
    return {
        "searchFilter": wanted,
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": not maximise,
    }


def _swept_columns(swept: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    columns = [f"metrics.`{name}`" for name in metrics] + [f"params.`{key}`" for key in swept]
    return {"selectedColumns": [*dict.fromkeys(columns), "attributes.`Duration`"]}


def _charts(section: str, curves: Sequence[str], bars: Sequence[str]) -> list[dict[str, Any]]:
    """Charts of the metrics that runs are compared by; MLflow adds the other metrics below."""
    return [
        {
            "uuid": metric,
            "type": kind,
            "metricSectionId": section,
            "metricKey": metric,
            "displayName": metric,
            "isGenerated": False,
            "deleted": False,
            "runsCountToCompare": 10,
        }
        | (dict(LINE) if kind == "LINE" else {"dataAccessKey": metric})
        for kind, metrics in (("LINE", curves), ("BAR", bars))
        for metric in dict.fromkeys(metrics)
    ]
