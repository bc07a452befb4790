"""Words of a logged model: its name, and the commands that serve it."""

import re

from mlflow import MlflowClient

from sightline.io.secrets import hide_password
from sightline.tracking.mlflow.tags import MODEL, NOTE

HEADING = "**serve the model**"
MAX_NAME = 200
PORT = 5001  # of the examples; MLflow's UI has 5000


def model_name(run_name: str | None) -> str:
    """The run's name, without the characters that MLflow refuses in names of models."""
    return re.sub(r"[/:.%\"']+", "_", run_name or "")[:MAX_NAME].strip() or "model"


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
