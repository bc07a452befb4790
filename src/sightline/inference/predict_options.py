"""Options of `sightline predict`."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from sightline.errors import UserError
from sightline.inference.table_options import TableOptions


class PredictOptions(TableOptions):
    """Options of `sightline predict`."""

    calibrated: bool = Field(
        True,
        description="with the run's calibration and by its decision rule; false: the probabilities "
        "as training's evaluation stored them, by the default rule",
    )
    top_k: NonNegativeInt = Field(
        0, description="name the N most probable classes too: top_1, prob_top_1, ..."
    )
    rank: Literal["uncertainty", "margin", "diversity", "coreset"] | None = Field(
        None,
        description="write the images to label next alone, in this order, with a contact sheet",
    )
    budget: PositiveInt | None = Field(None, description="how many images rank chooses")
    labelled: str | None = Field(
        None,
        description="images that are labelled, from which rank=coreset stays away: as input",
    )


def check_rank(options: PredictOptions) -> None:
    """Refuse options that say nothing without others.

    Raises:
        UserError: names what is missing.
    """
    if options.rank is None and options.budget is not None:
        raise UserError(
            f"budget={options.budget} has no effect without rank; give rank=uncertainty, margin, "
            "diversity or coreset."
        )
    if options.rank is not None and options.budget is None:
        raise UserError(f"rank={options.rank}: how many images? Give budget=NUMBER.")
    if options.labelled is not None and options.rank != "coreset":
        raise UserError(
            f"labelled={options.labelled} has no effect: rank=coreset alone stays away from images "
            "that are labelled."
        )
