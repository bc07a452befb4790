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
    """A moving average of the weights, of which each step keeps `decay`; null: none.

    warmup: less at first, so that the first weights do not count for long.
    """

    decay: Annotated[float, Field(gt=0, lt=1)] | None
    warmup: bool


class SwaConfig(Strict):
    """An equal average of the weights at the ends of the epochs from `start_epoch` on, from 1."""

    start_epoch: PositiveInt | None
