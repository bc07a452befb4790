"""`sightline import`: predictions that were made elsewhere, as a run."""

import shlex
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, NonNegativeInt

from sightline.config.command import Command
from sightline.config.options import Options, Several
from sightline.importing.settings import ImportSettings, Kind, Splits, as_names


class ImportOptions(Options):
    """Options of `sightline import`."""

    predictions: str = Field(description="the table: CSV, TSV, Parquet or JSON lines")
    name: str = Field(
        pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}$", description="of the run, and of its model"
    )
    split: Splits = Field(
        ("test",), min_length=1, description="whose samples the table has, each of them once"
    )
    kind: Kind | None = Field(
        None, description="of the numbers; by default as the columns' names say"
    )
    classes: Annotated[Several, BeforeValidator(as_names)] = Field(
        (), description="names of numbers without one, in their order"
    )
    id_column: str | None = Field(None, description="by default found by its name: id, file, ...")
    target_column: str | None = Field(
        None, description="by default found by its name; none: targets are not compared"
    )
    root: str | None = Field(
        None, description="folder of the images that ids name: joined by content where ids differ"
    )
    seed: NonNegativeInt | None = Field(None, description="of the training: seeds make a group")
    report: bool = Field(True, description="write report.html")


def run(options: ImportOptions) -> int:
    """Import a table; a `UserError` where it or the data cannot be used: nothing is logged then."""
    from sightline.importing.run import import_predictions

    compared = options.target_column != "none"
    settings = ImportSettings(
        Path(options.predictions), options.name, tuple(dict.fromkeys(options.split)), options.kind,
        options.classes, options.id_column, options.target_column if compared else None, compared,
        Path(options.root).expanduser() if options.root is not None else None, options.seed,
        options.report,
    )  # fmt: skip
    import_predictions(settings, options.overrides, ImportOptions.keys(),
                       shlex.join(["sightline", "import", *options.words]))  # fmt: skip
    return 0


COMMAND = Command(
    help="make a run of predictions that another program made",
    section="runs",
    about="""\
A table of ids and probabilities or logits of each class becomes a run with metrics, intervals and a
report, which `compare` tests against trainings on the same samples. Rows and samples are joined by
id, by the end of the path, or with root=FOLDER by the content of the image; classes by name.

Read are columns that are called as the classes, prob_CLASS or logit_CLASS; lists of numbers (probs,
logits), with classes=[NAMES] where the table does not name them; and what timm's inference.py,
Ultralytics' summary() and pipelines of transformers write, if it has all classes.""",
    examples={
        'sightline import predictions=FILE data=folder data.root=FOLDER name="timm train.py"': "",
        "sightline import predictions=FILE data=folder data.root=FOLDER name=NAME kind=logits": "",
    },
    options=ImportOptions,
    overrides={
        "data=SOURCE": "the data that was predicted, as for `sightline train`",
        "KEY=VALUE": "further keys of data, label_mode and tracking",
    },
    others="overrides",
    run=run,
)
