"""Saved views of an experiment, so that it opens as a comparison, and links into MLflow's UI.

MLflow's UI keeps the state of a shared view as JSON in the experiment's tag
`mlflow.sharedViewState.KEY` and opens it with `&viewStateShareKey=KEY`; seen in MLflow 3.17.
"""

import json
from collections.abc import Mapping
from typing import Any

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
    """What people compare by, in reading order; MLflow adds charts of the other metrics below."""
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
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "param", "groupByData": "group"}],
        },
        "compareRunSections": [
            {"uuid": "compare", "name": "compare", "display": True, "isReordered": True}
        ],
        "compareRunCharts": _charts("compare"),
        "isAccordionReordered": True,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
    },
}


def save_views(client: MlflowClient, experiment: Experiment) -> None:
    """Store the views with the experiment, where they are not there already."""
    wanted = {f"mlflow.sharedViewState.{key}": json.dumps(view) for key, view in VIEWS.items()}
    wanted["mlflow.experimentKind"] = "custom_model_development"
    for key, value in wanted.items():
        if experiment.tags.get(key) != value:
            client.set_experiment_tag(experiment.experiment_id, key, value)
