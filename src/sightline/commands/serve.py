"""`sightline serve`: the model of a run over HTTP, by MLflow's own server."""

import os
import sys
from pathlib import Path

from pydantic import Field, PositiveInt

from sightline.config.command import Command
from sightline.config.options import PLUGINS, RUN, URI, Options, Several

REQUEST = """\
Serving {name} on http://{host}:{port}; Ctrl-C ends it. From another terminal:

  echo "{{\\"dataframe_split\\": {{\\"columns\\": [\\"image\\"], \\"data\\": \
[[\\"$(base64 -w0 IMAGE)\\"]]}}}}" > request.json
  curl -H 'Content-Type: application/json' --data-binary @request.json \
http://{host}:{port}/invocations
"""


class ServeOptions(Options):
    """Options of `sightline serve`."""

    run: str = Field(description=RUN)
    port: PositiveInt = Field(5001, le=65535, description="port of the server")
    host: str = Field("127.0.0.1", description="address that it listens on; 0.0.0.0 lets others in")
    uri: str | None = Field(None, alias="tracking.uri", description=URI)
    plugins: Several = Field((), description=PLUGINS)


def run(options: ServeOptions) -> int:
    """Replace this process by MLflow's server of the run's model.

    Raises:
        UserError: there is no such run, it has not finished, or MLflow does not have it.
    """
    from sightline.config.stored import PLUGINS as VARIABLE
    from sightline.config.stored import trusted_plugins
    from sightline.errors import UserError
    from sightline.tracking.mlflow.stored_run import find_stored_run

    found = find_stored_run(options.run, options.uri)
    found.check_finished()
    if found.run_id is None or found.uri is None:
        raise UserError(
            f"{found.name} is not in MLflow, which serves it: upload it by `sightline sync` first."
        )
    # MLflow looks for uvicorn on the PATH, as it is in an activated environment.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # In the environment: every user of the machine can read a process's arguments.
    given = {"MLFLOW_TRACKING_URI": found.uri, "PATH": path}
    given[VARIABLE] = ",".join(trusted_plugins(options.plugins))
    print(REQUEST.format(name=found.name, host=options.host, port=options.port))
    sys.stdout.flush()
    model = ["-m", f"runs:/{found.run_id}/model", "--env-manager", "local", "--workers", "1"]
    place = ["--host", options.host, "--port", str(options.port)]
    command = [sys.executable, "-m", "mlflow", "models", "serve", *model, *place]
    os.execve(sys.executable, command, os.environ | given)


COMMAND = Command(
    help="answer requests with a run's model over HTTP",
    section="trained models",
    about="""\
Starts MLflow's server of the model that the run logged. A request has images in base64, in the
column `image`; the answer is a row for each image: pred, and prob_CLASS for each class. It answers
this machine alone; host=0.0.0.0 lets others in, without a password.""",
    examples={
        "sightline serve run=latest": "",
        "sightline serve run=models:/photos@champion port=8080": "",
    },
    options=ServeOptions,
    run=run,
)
