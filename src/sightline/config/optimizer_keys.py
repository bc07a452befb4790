"""The part of `optimizer` that is the same for every optimizer: the groups of its parameters."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from pydantic_core import PydanticCustomError

from sightline.config.validation import Strict


class ParamGroupConfig(Strict):
    """What the parameters are given whose names match a pattern.

    pattern: of whole names, with `*` for any characters, dots included; and ? and [...].
    lr_factor: of optimizer.lr, in place of that by layer_decay and head_lr_factor.
    weight_decay: in place of optimizer.weight_decay.
    freeze: they do not learn.
    freeze_epochs: they do not learn in so many epochs at first.
    """

    pattern: Annotated[str, Field(min_length=1)]
    lr_factor: PositiveFloat | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    freeze: bool = False
    freeze_epochs: PositiveInt | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        of_learning = (self.lr_factor, self.weight_decay, self.freeze_epochs)
        if any(each is not None for each in of_learning) == self.freeze:
            raise PydanticCustomError(
                "group",
                "lr_factor, weight_decay or freeze_epochs, or freeze=true and none of these",
            )
        return self


class OptimizerConfig(Strict):
    """The groups of parameters (`conf/optimizer_common.yaml`).

    decay_all: weight decay also for norms, biases, tokens and position embeddings.
    layer_decay: factor of the learning rate from each layer group of timm's to the one below.
    head_lr_factor: of the head's learning rate.
    param_groups: the first whose pattern matches a parameter's name counts.
    agc: largest ratio of a unit's gradient to its weights, by norm; not of the head.
    lr_scaling: how the learning rate follows the samples of a step; null: it does not.
    lr_base_size: samples of a step for which `lr` is given, where it is scaled.
    """

    decay_all: bool
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None
    head_lr_factor: PositiveFloat
    param_groups: list[ParamGroupConfig]
    agc: PositiveFloat | None
    lr_scaling: Literal["linear", "sqrt"] | None
    lr_base_size: PositiveInt

    @property
    def chooses(self) -> bool:
        """Whether it treats parameters differently beside weight decay."""
        return self.layer_decay is not None or self.head_lr_factor != 1 or bool(self.param_groups)
