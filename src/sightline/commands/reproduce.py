"""`sightline reproduce`: a logged run trained again, and its metrics compared."""

from pydantic import Field, NonNegativeFloat

from sightline.config.command import Command
from sightline.config.options import PLUGINS, URI, Options, Several, run_named
from sightline.runs.changeable import MAY_CHANGE


class ReproduceOptions(Options):
    """Options of `sightline reproduce`."""

    run: str = run_named()
    tolerance: NonNegativeFloat = Field(
        0.005,
        description="largest difference of a metric that counts as the same result; of metrics "
        "beyond ±1, relative to them",
    )
    plugins: Several = Field((), description=PLUGINS)
    uri: str | None = Field(None, alias="tracking.uri", description=URI)


def run(options: ReproduceOptions) -> int:
    """Train again and compare; 1 where a metric is different.

    Raises:
        UserError: the run is not there, did not finish, or cannot be trained here.
    """
    from sightline.training.rerun import rerun

    return rerun(options.run, options.uri, options.overrides, options.tolerance, options.plugins)


COMMAND = Command(
    help="train a logged run again, and compare the metrics",
    section="runs",
    about="""\
Trains a finished run again from its logged config, seed and split. First it shows what differs now
(commit, uncommitted changes, versions, hardware, data), then every metric side by side. The new run
has the tag `reproduces`. The exit status is 0 if all metrics are identical or within the tolerance,
1 if one is different.""",
    examples={"sightline reproduce run=RUN": ""},
    options=ReproduceOptions,
    overrides={
        "KEY=VALUE": "what a machine needs and a result does not depend on: "
        + ", ".join(MAY_CHANGE)
    },
    others="overrides",
    run=run,
)
