"""Words of a logged model: what tells it from those of other runs, and how it is served."""

from mlflow import MlflowClient
from mlflow.entities import Run

from sightline.io.secrets import hide_password
from sightline.tracking.mlflow.tags import MODEL, NOTE

HEADING = "**serve the model**"
SHOWN = ("model", "data", "label_mode", "seed", "optimizer.lr")  # of the run's parameters
PORT = 5001  # of the examples; MLflow's UI has 5000


def model_params(run: Run) -> dict[str, str]:
    """Parameters for the columns of MLflow's models: their name is `model` in each run, so that
    `runs:/RUN_ID/model` finds it."""
    known = {key: run.data.params[key] for key in SHOWN if key in run.data.params}
    return {"run": run.info.run_name or run.info.run_id} | known


def serving_commands(model_id: str, uri: str) -> str:
    """Commands for a shell that serve a model and ask it about `image.png`.

    The image goes through a pipe: an argument holds at most 128 KiB on Linux.

    Args:
        model_id: MLflow's.
        uri: of the store; a password in it is hidden.
    """
    return (
        f"MLFLOW_TRACKING_URI='{hide_password(uri)}' mlflow models serve "
        f"-m models:/{model_id} --env-manager local --port {PORT}\n"
        '(printf \'{"dataframe_split": {"columns": ["image"], "data": [["\'; '
        "base64 < image.png | tr -d '\\n'; printf '\"]]}}') |\n"
        f"  curl http://127.0.0.1:{PORT}/invocations -H 'Content-Type: application/json' -d @-\n"
    )


def describe_model(client: MlflowClient, run_id: str, model_id: str, uri: str) -> None:
    """Log the model's id and commands: a tag and the note of its run, and its own note; once.

    Args:
        client: of the store.
        run_id: of the run.
        model_id: of its model.
        uri: the store's.
    """
    words = f"{HEADING} `models:/{model_id}`\n\n```\n{serving_commands(model_id, uri)}```\n"
    client.set_logged_model_tags(model_id, {NOTE: words})
    client.set_tag(run_id, MODEL, f"models:/{model_id}")
    note = client.get_run(run_id).data.tags.get(NOTE, "").partition(HEADING)[0].rstrip()
    client.set_tag(run_id, NOTE, f"{note}\n\n{words}" if note else words)
