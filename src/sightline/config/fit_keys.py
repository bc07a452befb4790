"""The keys that say when a training stops, and what is saved and kept of its weights."""

from typing import Annotated

from pydantic import Field, PositiveInt

from sightline.config.validation import Strict


class EarlyStoppingConfig(Strict):
    """Stop when `monitor` has not improved by `min_delta` for `patience_epochs`; null: never."""

    patience_epochs: PositiveInt | None
    min_delta: Annotated[float, Field(ge=0)]


class CheckpointConfig(Strict):
    """When the last checkpoint is saved beside the end of each epoch; null: then alone."""

    every_n_steps: PositiveInt | None


class EmaConfig(Strict):
    """A moving average of the weights, of which each step keeps `decay`; null: none."""

    decay: Annotated[float, Field(gt=0, lt=1)] | None
