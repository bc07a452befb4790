"""Saved views of an experiment, so that it opens as a comparison of its runs.

MLflow's UI stores the state of a shared view as JSON in the experiment's tag
`mlflow.sharedViewState.KEY` and opens it with `&viewStateShareKey=KEY`; seen in MLflow 3.17.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sightline.tracking.mlflow.tags import EXPERIMENT_KIND, GROUP, SWEEP, shared_view

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

COLUMNS = (
    "metrics.`val_best/accuracy`",
    "metrics.`val_best/average_precision_macro`",
    "metrics.`val_best/f1_macro`",
    "metrics.`val_best/loss`",
    "metrics.`test/accuracy`",
    "params.`model`",
    "params.`data`",
    "params.`label_mode`",
    "params.`seed`",
    "params.`optimizer.lr`",
    "metrics.`train/images_per_second`",
    "attributes.`Duration`",
)
CURVES = ("train/loss", "val/loss", "val/accuracy", "val/average_precision_macro")
BARS = ("val_best/accuracy", "val_best/loss", "test/accuracy", "train/images_per_second")


def _charts(section: str) -> list[dict[str, Any]]:
    """Charts of the metrics that runs are compared by; MLflow adds the other metrics below."""
    kinds = [("LINE", CURVES), ("BAR", BARS)]
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
        for kind, metrics in kinds
        for metric in metrics
    ]


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
VIEWS: Mapping[str, Mapping[str, Any]] = {
    "leaderboard": {
        "orderByKey": "metrics.`val_best/accuracy`",
        "orderByAsc": False,
        "selectedColumns": list(COLUMNS),
    },
    "curves": {
        "orderByKey": "metrics.`val_best/accuracy`",
        "orderByAsc": False,
        "selectedColumns": list(COLUMNS),
        "compareRunSections": [
            {"uuid": "compare", "name": "compare", "display": True, "isReordered": True}
        ],
        "compareRunCharts": _charts("compare"),
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }
    | dict(GROUPED),
}


def view_key(sweep: str) -> str:
    """The key of a sweep's own view."""
    return f"sweep-{hashlib.blake2b(sweep.encode(), digest_size=6).hexdigest()}"


def sweep_view(
    sweep: str, swept: Sequence[str], metrics: Sequence[str], maximise: bool, grouped: bool
) -> dict[str, Any]:
    """A view of the runs of one sweep: swept values beside results, the best run first.

    Args:
        sweep: its name, the tag `sweep` of its runs.
        swept: the keys that differ between them.
        metrics: that they are compared by.
        maximise: whether a larger value of the first is better.
        grouped: whether it opens by groups, with mean curves over seeds and folds.
    """
    columns = [f"metrics.`{name}`" for name in metrics] + [f"params.`{key}`" for key in swept]
    return {
        "searchFilter": f"tags.{SWEEP} = '{sweep}'",
        "orderByKey": columns[0],
        "orderByAsc": not maximise,
        "selectedColumns": [*dict.fromkeys(columns), "attributes.`Duration`"],
    } | (dict(GROUPED) if grouped else {})


def save_view(
    client: "MlflowClient", experiment_id: str, key: str, view: Mapping[str, Any]
) -> None:
    """Store one view with the experiment."""
    client.set_experiment_tag(experiment_id, shared_view(key), json.dumps(view))


def save_views(client: "MlflowClient", experiment: "Experiment") -> None:
    """Store the views with the experiment, where they are missing or differ."""
    wanted = {shared_view(key): json.dumps(view) for key, view in VIEWS.items()}
    wanted[EXPERIMENT_KIND] = "custom_model_development"
    for key, value in wanted.items():
        if experiment.tags.get(key) != value:
            client.set_experiment_tag(experiment.experiment_id, key, value)
