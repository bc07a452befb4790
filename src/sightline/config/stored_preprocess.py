"""Preprocessing as a checkpoint stores it, checked: a file that a stranger wrote may hold anything.

A mean that is no number, or a deviation of 0, would make every probability NaN without a word.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from sightline.config.validation import colour, first_problem
from sightline.types import CROP_MODES, PreprocessSpec

MAX_SIDE = 65_536  # pixels; Pillow reads no larger image
Side = Annotated[int, Field(strict=True, ge=1, le=MAX_SIDE)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Interpolation = Literal[
    "nearest", "nearest-exact", "bilinear", "bicubic", "box", "hamming", "lanczos"
]


def _crop_mode(word: str) -> str:
    known = {*CROP_MODES.values(), "border"}
    if word not in known:
        raise ValueError(f"expected one of {', '.join(sorted(known))}")
    return word


class _Pixels(BaseModel):
    """What `PixelSpec` holds."""

    model_config = ConfigDict(extra="forbid")
    low: Finite | None = None
    high: Finite | None = None
    outside: Annotated[float, Field(ge=0, le=1)] = 0.0
    channels: str | list[int | str] | None = None
    names: list[str] = []


class _Preprocess(BaseModel):
    """What `PreprocessSpec` holds."""

    model_config = ConfigDict(extra="forbid")
    img_size: Side | tuple[Side, Side]
    in_chans: Side
    mean: list[Finite]
    std: list[Positive]
    interpolation: Interpolation = "bilinear"
    crop_pct: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    crop_mode: Annotated[str, AfterValidator(_crop_mode)] = "center"
    background: Annotated[str, AfterValidator(colour)] = "white"
    decode: Literal["exact", "fast"] = "fast"
    pixels: _Pixels = _Pixels()

    @model_validator(mode="after")
    def _one_value_a_channel(self) -> Self:
        if not len(self.mean) == len(self.std) == self.in_chans:
            raise ValueError(
                f"{self.in_chans} channels, but {len(self.mean)} means and {len(self.std)} "
                "deviations"
            )
        return self


def stored_preprocess(values: Mapping[str, Any]) -> PreprocessSpec:
    """The spec that a checkpoint's `preprocess` describes.

    Raises:
        ValueError: names the first value that no spec has.
    """
    try:
        _Preprocess.model_validate(values)
    except ValidationError as error:
        raise ValueError(f"preprocess.{first_problem(error)}") from error
    return PreprocessSpec.from_dict(dict(values))
