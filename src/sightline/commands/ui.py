"""`sightline ui`: MLflow's web interface on the project's tracking store."""

import os
import sys

from sightline.config.command import Command
from sightline.config.options import Options, flag


class UiOptions(Options):
    """Options of `sightline ui`."""

    port: int | None = flag(
        "port of the web server; by default the first free one from 5000 on", default=None,
        metavar="PORT",
    )  # fmt: skip


def run(options: UiOptions) -> int:
    """Replace this process by MLflow's own UI server."""
    from sightline.paths import default_store
    from sightline.tracking.mlflow.ui_address import free_port, note_server

    # In the environment: every user of the machine can read a process's arguments.
    uri = os.environ.get("MLFLOW_TRACKING_URI") or default_store()
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri
    asked = any(word.startswith(("--host", "-h")) for word in options.words)
    host = [] if asked else ["--host", "127.0.0.1"]  # else anyone in the network could delete runs
    port = options.port or free_port()
    chosen = [] if options.port else ["--port", str(port)]
    note_server(uri, port, os.getpid())  # the process stays this one
    print(f"MLflow's pages: http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning")
    command = [sys.executable, "-m", "mlflow", "ui", *host, *chosen, *options.words]
    sys.stdout.flush()
    os.execv(sys.executable, command)


COMMAND = Command(
    help="open the MLflow UI on the project's store",
    section="runs",
    about="""\
Starts MLflow's web server on the store of MLFLOW_TRACKING_URI, by default the project's own. It
answers this machine alone; --host ADDRESS lets others in, without a password.""",
    examples={"sightline ui --port 5001": ""},
    options=UiOptions,
    overrides={"FLAGS": "further flags of `mlflow ui`; `mlflow ui --help` lists them"},
    others="anything",
    run=run,
)
