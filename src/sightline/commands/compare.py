"""`sightline compare`: a leaderboard of runs, and tests of the best against the next ones."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt

from sightline.comparison.settings import ComparisonSettings
from sightline.config.command import Command
from sightline.config.options import URI, Options, Several
from sightline.io.collection import imports_kept

DEFAULTS = ComparisonSettings()


def _split(value: object) -> object:
    return tuple(value.split(",")) if isinstance(value, str) else value or ()


class CompareOptions(Options):
    """Options of `sightline compare`."""

    experiment: str | None = Field(None, alias="tracking.experiment", description="by name")
    uri: str | None = Field(None, alias="tracking.uri", description=URI)
    runs: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        (),
        description="these runs alone, by id, folder or name; a sweep's run stands for its jobs",
        json_schema_extra={"names_run": True},
    )
    metric: str | None = Field(
        None, description="to rank by; by default what the runs monitor, at the best checkpoint"
    )
    mode: Literal["max", "min"] | None = Field(None, description="better, of a metric not known")
    group_by: Several = Field((), description="parameters of a group, in place of the config")
    seeds: str | None = Field(None, description="with group_by: the parameter of its repetitions")
    split: str | None = Field(None, description="tested predictions; by default the metric's")
    against: NonNegativeInt = Field(
        DEFAULTS.against, description="next groups that the best is tested against"
    )
    margin: PositiveFloat | None = Field(
        None, allow_inf_nan=False, description="difference that does not matter: tests equivalence"
    )
    resamples: PositiveInt = Field(
        DEFAULTS.resamples, description="of the bootstrap, for metrics other than accuracy"
    )
    seed: NonNegativeInt = Field(DEFAULTS.seed, description="seed of the bootstrap")
    output: str | None = Field(None, description="folder for CSV, comparison.md, comparison.html")
    overwrite: bool = Field(False, description="replace the files of an earlier comparison there")
    plugins: Several = Field((), description="packages whose metrics are compared")


def run(options: CompareOptions) -> int:
    """Compare runs, print the tables and write them.

    Raises:
        UserError: no such experiment, run or metric; nothing is written.
    """
    with imports_kept():
        from sightline.comparison.run import compare_and_write
    compare_and_write(ComparisonSettings(**options.model_dump()))
    return 0


COMMAND = Command(
    help="rank runs on a leaderboard, with tests",
    section="runs",
    about="""\
A leaderboard of the finished runs of each task (label mode, classes, data): runs of one config are
one group, ranked by the mean over seeds and folds. The best is tested against the next ones.""",
    examples={
        "sightline compare": "the project's experiment",
        "sightline compare runs=[RUN,RUN]": "two runs",
        "sightline compare runs=SWEEP_RUN_ID metric=accuracy": "the jobs of a sweep",
        "sightline compare metric=val_best/f1_macro split=test": "ranked on val, tested on test",
        "sightline compare margin=0.01": "also tests equivalence within 0.01",
        "sightline compare tracking.experiment=ANY group_by=[model,lr] seeds=seed metric=KEY "
        "mode=max": "any program's runs",
    },
    options=CompareOptions,
    run=run,
)
