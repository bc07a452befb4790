"""Saved views: MLflow's own search finds the runs of one task by them, the best first."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any
from urllib.parse import unquote

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from sightline.tracking.mlflow.links import view_links
from sightline.tracking.mlflow.tags import shared_view
from sightline.tracking.mlflow.views import (
    replace_former_views,
    save_view,
    sweep_view,
    task_views,
    view_key,
)
from sightline.tracking.task import TaskFacts, task_facts

BINARY = {"label_mode": "binary", "data.classes": "2 #a", "data.digest.val": "a" * 32}
FOLDS = BINARY | {"data.folds": "3", "data.split_seed": "7", "data.digest.test": "t" * 32}
RUNS: dict[str, dict[str, str]] = {
    "low": BINARY, "high": BINARY, "mode": BINARY | {"label_mode": "multiclass"},
    "classes": BINARY | {"data.classes": "2 #b"}, "data": BINARY | {"data.digest.val": "b" * 32},
    "fold 0": FOLDS | {"data.digest.val": "c" * 32},
    "fold 1": FOLDS | {"data.digest.val": "d" * 32},
    "other folds": FOLDS | {"data.digest.val": "e" * 32, "data.split_seed": "8"},
}  # fmt: skip


@pytest.fixture
def runs(store: str, request: pytest.FixtureRequest) -> tuple[MlflowClient, str]:
    client = MlflowClient(store)
    experiment = client.create_experiment(request.node.name)
    for number, (name, params) in enumerate(RUNS.items()):
        run = client.create_run(experiment, run_name=name).info.run_id
        client.log_batch(
            run, [Metric("val_best/accuracy", 0.1 * number, 0, 0)],
            [Param(key, value) for key, value in params.items()], [RunTag("sweep", "s @ 1")],
        )  # fmt: skip
    return client, experiment


def shown(runs: tuple[MlflowClient, str], view: dict[str, Any]) -> list[str]:
    order = f"{view['orderByKey']} {'ASC' if view['orderByAsc'] else 'DESC'}"
    found = runs[0].search_runs([runs[1]], view["searchFilter"], order_by=[order])
    return [str(run.info.run_name) for run in found]


def test_a_view_shows_one_task_by_its_monitor(runs: tuple[MlflowClient, str]) -> None:
    for params, expected in (
        (RUNS["low"], ["high", "low"]),
        (RUNS["mode"], ["mode"]),
        (RUNS["classes"], ["classes"]),
        (RUNS["data"], ["data"]),
        (RUNS["fold 0"], ["fold 1", "fold 0"]),
    ):
        views = task_views(task_facts(params), "val/accuracy", maximise=True, results=["val f1"])
        assert len(views) == 2
        for view in views.values():
            assert shown(runs, view) == expected
            assert view["selectedColumns"][0] == "metrics.`val_best/accuracy`"
            assert view["selectedColumns"][-1] == "tags.`val f1`"
            charts = [chart["metricKey"] for chart in view.get("compareRunCharts", [])]
            assert charts[:4] in ([], ["val/loss", "train/loss", "val/accuracy", "train/lr"])
    [lowest, *_] = task_views(task_facts(RUNS["low"]), "val/loss", maximise=False).values()
    assert (lowest["orderByKey"], lowest["orderByAsc"]) == ("metrics.`val_best/loss`", True)


def test_the_menu_lists_views_of_tasks_by_name(runs: tuple[MlflowClient, str]) -> None:
    """MLflow's UI lists a tag with a name, a time and the state as text; see its `Views` menu."""
    client, experiment = runs
    for params in (RUNS["low"], RUNS["classes"]):
        for key, view in task_views(task_facts(params), "val/loss", maximise=False).items():
            save_view(client, experiment, key, view)
    save_view(client, experiment, "sweep", sweep_view("s", [], ["val_best/loss"], False, False))
    tags = client.get_experiment(experiment).tags
    views = [json.loads(text) for tag, text in tags.items() if tag.startswith(shared_view(""))]
    named = [view for view in views if "name" in view]
    assert len(views) == 5
    assert len({view["name"] for view in named}) == 4
    for view in named:
        assert view["name"].startswith(("leaderboard: binary, 2 classes", "curves: binary, 2 cla"))
        form, _, text = view["state"].partition(";")
        assert form == "deflate"
        state = json.loads(zlib.decompress(base64.b64decode(text)))
        assert state.items() <= view.items()
        assert shown(runs, state) in (["high", "low"], ["classes"], ["low", "high"])
        assert isinstance(view["createdAt"], int)


def test_former_views_rank_no_more(runs: tuple[MlflowClient, str]) -> None:
    client, experiment = runs
    save_view(client, experiment, "curves", {"orderByKey": "metrics.`val_best/accuracy`"})
    for _ in range(2):
        replace_former_views(client, client.get_experiment(experiment))
        tags = client.get_experiment(experiment).tags
        assert json.loads(tags[shared_view("curves")])["orderByKey"] == "attributes.start_time"
        assert shared_view("leaderboard") not in tags


def test_a_sweeps_view_of_a_task(runs: tuple[MlflowClient, str]) -> None:
    view = sweep_view(
        "s @ 1", ["seed"], ["val_best/accuracy"], True, False, task_facts(RUNS["data"])
    )
    assert shown(runs, view) == ["data"]
    assert shown(runs, view | {"searchFilter": "tags.sweep = 's @ 2'"}) == []


def test_names_tell_tasks_apart() -> None:
    facts = [task_facts(params | {"data": "folder"}) for params in RUNS.values()]
    assert len({each.name for each in facts}) == 6  # two have runs of two
    assert all(each.name.startswith(("binary-folder-", "multiclass-folder-")) for each in facts)
    for key, value, name in (
        ("data.root", "/photos/été (1)", "été (1)"), ("data.path", "a/labels.csv", "labels"),
        ("data.name", "org/birds", "birds"), ("data.path", "['a', 'b']", "folder"),
    ):  # fmt: skip
        assert task_facts({"data": "folder", key: value}).data == name
    odd = task_facts(RUNS["low"] | {"data.root": "/photos/été (1)"})
    assert odd.name.startswith("binary-été-1-")
    link = view_links("http://u:p@host", "3", odd)["leaderboard"]
    assert unquote(link).endswith(f"viewStateShareKey=leaderboard-{odd.name}")
    assert view_key("s", odd) == f"{view_key('s')}-{odd.name}"
    assert TaskFacts(None, None, "", {"val": None}, {}).search_filter == ""
