"""The keys that make a training faster or smaller, and change its results by rounding alone."""

from typing import Literal

from sightline.config.validation import Strict

Choice = Literal["auto"] | bool  # auto: as the device is
OPEN_PRECISIONS = (None, "auto")  # values of trainer.precision that leave it to the device


class ModelSpeedConfig(Strict):
    """How any model computes (`conf/model_common.yaml`); a model of your own may leave it out.

    compile: by torch.compile, in place.
    channels_last: the memory format of weights and activations.
    grad_checkpointing: activations are computed anew in the backward pass, not kept.
    """

    compile: bool = False
    channels_last: Choice = "auto"
    grad_checkpointing: bool = False


class TrainerSpeedConfig(Strict):
    """What `trainer` has beside Lightning's arguments.

    tf32: matrices and convolutions of float32 on tensor cores; null: as PyTorch has it.
    """

    tf32: Choice | None
