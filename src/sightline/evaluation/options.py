"""The words of `sightline evaluate`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from sightline.config.options import Options

USAGE = """\
usage: sightline evaluate run=RUN [split=SPLIT] [KEY=VALUE ...] [data=SOURCE data.KEY=VALUE ...]

Metrics with 95 % intervals, calibration, thresholds, slices and figures of a trained model, logged
into its run. On the run's own split they come from the stored predictions, where nothing else is
asked for; with data=SOURCE the model sees other data, whose classes are matched by name.

  run=           an MLflow run id, runs:/ID, a run's folder, or a checkpoint file
  split=         test (by default), val or train
  data=SOURCE    other data, as for `sightline train`: data=folder data.root=FOLDER, ...
  data.KEY=      alone: changes how the run's own data is read, such as data.root=FOLDER
  name=          of other data, in the metrics' names; else the data set's own name
  slices=        [COLUMN, ...]: metrics for each value of columns that came with the data
  slice_metric=  what slices are compared by; else accuracy (or accuracy_tuned)
  min_slice=     samples below which a slice is not compared (30)
  robustness=    true: common corruptions at five severities
  tta=           [flip, shift]: probabilities averaged over such views of each image
  report=        false: without NAME/report.html
  new_run=       true: log into a new run that names this one
  predict_again= true: run the model also where the stored predictions would do
  device=        auto (a GPU where there is one), cpu, cuda, cuda:1
  plugins=       [PACKAGE], where the model is built by a package of your own
  tracking.uri=  of the tracking store; else MLFLOW_TRACKING_URI, or the project's own
"""


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class EvaluateOptions(Options):
    """Of `sightline evaluate`."""

    run: str
    split: Literal["train", "val", "test"] = "test"
    name: Annotated[str, Field(pattern=r"^[A-Za-z][\w.-]{0,60}$")] | None = None
    slices: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    slice_metric: str | None = None
    min_slice: PositiveInt = 30
    robustness: bool = False
    tta: Annotated[tuple[Literal["flip", "shift"], ...], BeforeValidator(_listed)] = ()
    report: bool = True
    new_run: bool = False
    predict_again: bool = False
    device: str = "auto"
    plugins: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    uri: Annotated[str | None, Field(alias="tracking.uri")] = None
