"""`sightline soup`: the average of several runs' weights, tried on val."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sightline.config.command import Command
from sightline.config.options import DEVICE, PLUGINS, URI, Options, Several, run_named


class SoupOptions(Options):
    """Options of `sightline soup`."""

    runs: Several = run_named(several=True)
    output: Annotated[
        str, Field(description="checkpoint to write", json_schema_extra={"metavar": "FILE.ckpt"})
    ]
    kind: Literal["uniform", "greedy"] = Field(
        "greedy",
        description="greedy: from the best run on, each that makes val better; uniform: all",
    )
    metric: str | None = Field(None, description="of val; by default what the first run monitored")
    overwrite: bool = Field(False, description="replace the output where it exists")
    device: str = Field("auto", description=DEVICE)
    plugins: Several = Field((), description=PLUGINS)
    uri: str | None = Field(None, alias="tracking.uri", description=URI)


def run(options: SoupOptions) -> int:
    """Average runs.

    Raises:
        UserError: the runs do not fit together, or their val split is not there.
    """
    from sightline.evaluation.soup import make_soup

    make_soup(
        options.runs, options.uri, options.kind, options.metric, Path(options.output),
        options.overwrite, options.device, options.plugins,
    )  # fmt: skip
    return 0


COMMAND = Command(
    help="average the weights of several runs",
    section="trained models",
    about="""\
Model soup (Wortsman et al. 2022): the mean of the weights of runs that began with the same
pretrained weights. All of them are of one model, with the same classes, preprocessing and data, on
whose val split each run and the soup are measured. The file is a checkpoint, as RUN of all other
commands. Statistics of batch normalisation are averaged too. Thresholds and calibration are not
fitted anew: the default decision rule holds.""",
    examples={"sightline soup runs=[RUN,RUN,RUN] output=soup.ckpt": ""},
    options=SoupOptions,
    run=run,
)
