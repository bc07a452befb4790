"""The options of `sightline evaluate`."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from sightline.config.options import DEVICE, PLUGINS, URI, Options, Several, as_tuple, run_named
from sightline.config.tuning_schema import Score
from sightline.errors import UserError
from sightline.evaluation.settings import EvaluationSettings

UNKNOWN = {
    "run",
    "ood",
    "scores",
    "split",
    "report",
    "device",
    "plugins",
    "uri",
}  # what goes with ood=


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
    report: bool = Field(True, description="write NAME/report.html; with ood= ood/report.html")
    new_run: bool = Field(False, description="log into a new run that names this one")
    exclude_seen: bool = Field(False, description="leave out images of the run's train and val")
    predict_again: bool = Field(False, description="run the model, not the stored predictions")
    ood: Several = Field(
        (),
        description="folders of unknown images (NAME:FOLDER names a set, such as near): how "
        "well `scores` tell them from the split's; nothing else is evaluated",
    )
    scores: Annotated[tuple[Score, ...], BeforeValidator(as_tuple)] = Field(
        ("msp", "max_logit", "energy"), description="of unknown images, with ood="
    )
    device: str = Field("auto", description=DEVICE)
    plugins: Several = Field((), description=PLUGINS)
    uri: str | None = Field(None, alias="tracking.uri", description=URI)

    @property
    def settings(self) -> EvaluationSettings:
        """Of an evaluation of samples with targets."""
        names = EvaluationSettings.__dataclass_fields__
        return EvaluationSettings(**{name: getattr(self, name) for name in names})


def check_unknown(options: EvaluateOptions, data: Sequence[str]) -> bool:
    """Whether scores of unknown images alone are evaluated.

    Args:
        options: of the command.
        data: overrides of `data`.

    Raises:
        UserError: an option that would be ignored, or one that is missing.
    """
    if not options.ood:
        for name in ("slice_metric", "min_slice"):
            if name in options.model_fields_set and not options.slices:
                raise UserError(
                    f"{name}={getattr(options, name)}: give slices=[COLUMN] of the data, which it "
                    "is about."
                )
        if "scores" in options.model_fields_set:
            raise UserError(
                f"scores={','.join(options.scores)}: give ood=FOLDER of unknown images."
            )
        return False
    unused = [*sorted(options.model_fields_set - UNKNOWN), *data]
    if options.run is None or unused:
        what = "needs run=RUN" if options.run is None else f"does not take {', '.join(unused)}"
        raise UserError(f"ood={','.join(options.ood)}: an evaluation of unknown images {what}.")
    if options.split == "train":
        raise UserError("split=train: unknown images are compared with those of val or test.")
    return True
