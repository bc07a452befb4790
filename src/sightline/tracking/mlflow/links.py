"""Links into MLflow's UI."""

from urllib.parse import quote

from sightline.tracking.mlflow.ui_address import FIRST_PORT, HOST, served_at
from sightline.tracking.mlflow.views import curves_key, leaderboard_key
from sightline.tracking.task import TaskFacts

MACHINE_LEARNING = "workflowType=machine_learning"  # a fresh browser opens the GenAI view


def run_link(uri: str, experiment_id: str, run_id: str) -> str:
    """Address of a run in the UI of a server, or in a local `mlflow ui`."""
    return f"{_base(uri)}/#/experiments/{experiment_id}/runs/{run_id}?{MACHINE_LEARNING}"


def artifact_link(uri: str, experiment_id: str, run_id: str, path: str) -> str:
    """Address of a file of a run, which the UI opens beside the list of them."""
    page = f"{_base(uri)}/#/experiments/{experiment_id}/runs/{run_id}/artifacts/{quote(path)}"
    return f"{page}?{MACHINE_LEARNING}"


def view_links(uri: str, experiment_id: str, task: TaskFacts) -> dict[str, str]:
    """Addresses of the saved views of a task's runs, by name."""
    curves = view_link(uri, experiment_id, curves_key(task))
    return {
        "leaderboard": view_link(uri, experiment_id, leaderboard_key(task)),
        "curves by group": f"{curves}&compareRunsMode=CHART",
    }


def view_link(uri: str, experiment_id: str, key: str) -> str:
    """Address of a saved view of an experiment's runs."""
    runs = f"{_base(uri)}/#/experiments/{experiment_id}/runs?{MACHINE_LEARNING}"
    return f"{runs}&viewStateShareKey={quote(key)}"


def served(uri: str) -> bool:
    """Whether the pages of a store can be opened now, as far as this machine knows."""
    return uri.startswith(("http://", "https://")) or served_at(uri) is not None


def _base(uri: str) -> str:
    if not uri.startswith(("http://", "https://")):
        return served_at(uri) or f"http://{HOST}:{FIRST_PORT}"
    scheme, _, rest = uri.rstrip("/").partition("://")
    return f"{scheme}://{rest.rsplit('@', 1)[-1]}"
