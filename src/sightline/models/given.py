"""The network of `sightline.train(model=...)`, given as an object."""

from torch import nn

from sightline.errors import UserError


def given_network(num_classes: int, given: nn.Module | None = None) -> nn.Module:
    """The network itself: from normalised images (B, C, H, W) to logits (B, num_classes).

    Args:
        num_classes: outputs that the data need.
        given: the network.

    Raises:
        UserError: none was given, since a config cannot name an object.
    """
    if given is None:
        raise UserError(
            "model=given: this model was given from Python as an object, and nothing here can "
            "build it again: train with sightline.train([...], model=NETWORK) and load with "
            "sightline.load(RUN, model=NETWORK). For commands and serving, name its class: "
            "model._target_=my_package.MyNetwork plugins=[my_package]."
        )
    return given
