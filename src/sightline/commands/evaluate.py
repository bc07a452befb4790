"""`sightline evaluate`: a trained model evaluated on its own splits or on other data."""

import shlex
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from sightline.config.command import Command
from sightline.config.options import DEVICE, PLUGINS, URI, Options, Several, as_tuple, run_named


class EvaluateOptions(Options):
    """Options of `sightline evaluate`."""

    run: str | None = run_named(None)
    split: Literal["train", "val", "test"] = Field("test", description="split that is evaluated")
    name: str | None = Field(
        None, pattern=r"^[A-Za-z][\w.-]{0,60}$",
        description="name of other data in the metrics; by default the data set's own name",
    )  # fmt: skip
    slices: Several = Field((), description="columns of the data: metrics for each of their values")
    slice_metric: str | None = Field(None, description="metric of slices; by default accuracy")
    min_slice: PositiveInt = Field(30, description="samples below which a slice is not compared")
    robustness: bool = Field(False, description="evaluate common corruptions at five severities")
    tta: Annotated[tuple[Literal["flip", "shift"], ...], BeforeValidator(as_tuple)] = Field(
        (), description="average the probabilities over such views of each image"
    )
    report: bool = Field(True, description="write NAME/report.html")
    new_run: bool = Field(False, description="log into a new run that names this one")
    exclude_seen: bool = Field(False, description="leave out images of the run's train and val")
    predict_again: bool = Field(False, description="run the model, not the stored predictions")
    device: str = Field("auto", description=DEVICE)
    plugins: Several = Field((), description=PLUGINS)
    uri: str | None = Field(None, alias="tracking.uri", description=URI)


def run(options: EvaluateOptions) -> int:
    """Evaluate a model.

    Raises:
        UserError: the run, the data or an option cannot be used; nothing is logged then.
    """
    from sightline.evaluation.overrides import check_other_data, read_data_overrides
    from sightline.evaluation.settings import EvaluationSettings

    changes = read_data_overrides(options.overrides, EvaluateOptions.keys(), options.run)
    check_other_data(changes)
    from sightline.evaluation.run import evaluate  # imports PyTorch

    settings = EvaluationSettings(**options.model_dump(exclude={"run", "uri"}))
    command = shlex.join(["sightline", "evaluate", *options.words])
    evaluate(options.run, options.uri, settings, changes, command)
    return 0


COMMAND = Command(
    help="evaluate a trained or published model, on its own or on other data",
    section="trained models",
    about="""\
Metrics with 95 % intervals, calibration, thresholds, slices and figures of a trained model, logged
into its run. On the run's own split they come from the stored predictions, unless an option needs
the model; with data=SOURCE the model predicts other data, whose classes are matched by name. Images
that were in the run's train or val are counted, and the metrics given with and without them.

Without run=, model=timm model.name=NAME evaluates a model as published, as timm's validate.py does;
classes are matched by ImageNet's synsets and words.""",
    examples={
        "sightline evaluate run=RUN slices=[site] robustness=true": "",
        "sightline evaluate run=RUN data=folder data.root=FOLDER name=other": "",
        "sightline evaluate model=timm model.name=resnet18 data=folder data.root=FOLDER": "",
    },
    options=EvaluateOptions,
    overrides={
        "model.KEY=VALUE": "model=timm model.name=NAME, and model.pretrained_path=FILE",
        "data=SOURCE": "other data, as for `sightline train`: data=folder data.root=FOLDER, ...",
        "data.KEY=VALUE": "alone: changes how the run's own data is read, such as data.root=FOLDER",
    },
    others="overrides",
    run=run,
)
