"""Links into MLflow's UI."""

LOCAL_UI = "http://127.0.0.1:5000"  # the default address of `mlflow ui`
MACHINE_LEARNING = "workflowType=machine_learning"  # a fresh browser opens the GenAI view


def run_link(uri: str, experiment_id: str, run_id: str) -> str:
    """Address of a run in the UI of a server, or in a local `mlflow ui`."""
    return f"{_base(uri)}/#/experiments/{experiment_id}/runs/{run_id}?{MACHINE_LEARNING}"


def view_links(uri: str, experiment_id: str) -> dict[str, str]:
    """Addresses of the saved views, by name."""
    runs = f"{_base(uri)}/#/experiments/{experiment_id}/runs?{MACHINE_LEARNING}"
    return {
        "leaderboard": f"{runs}&viewStateShareKey=leaderboard",
        "curves by group": f"{runs}&viewStateShareKey=curves&compareRunsMode=CHART",
    }


def sweep_link(uri: str, experiment_id: str, key: str) -> str:
    """Address of the view of a sweep's runs."""
    runs = f"{_base(uri)}/#/experiments/{experiment_id}/runs?{MACHINE_LEARNING}"
    return f"{runs}&viewStateShareKey={key}"


def _base(uri: str) -> str:
    if not uri.startswith(("http://", "https://")):
        return LOCAL_UI
    scheme, _, rest = uri.rstrip("/").partition("://")
    return f"{scheme}://{rest.rsplit('@', 1)[-1]}"
