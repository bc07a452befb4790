"""Check of the values of a file's weights, before they are loaded."""

from collections.abc import Mapping

import torch
from torch import Tensor

from sightline.errors import UserError


def check_values(weights: Mapping[str, Tensor], network: Mapping[str, Tensor], where: str) -> None:
    """Refuse weights that no training leaves.

    Args:
        weights: of the file, by the network's names.
        network: the network's own, by name.
        where: the file, for messages.

    Raises:
        UserError: some are not finite, or whole numbers (as quantised ones are) where the network
            has floating-point ones; or no layer has two different weights.
    """
    for name, tensor in weights.items():
        if network[name].is_floating_point() and not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UserError(
                f"{where}: {name} holds whole numbers ({kind}): quantised weights are not read. "
                "Save those of the floating-point network."
            )
        if not torch.isfinite(tensor).all():
            raise UserError(
                f"{where}: {name} holds values that are not finite: "
                "its training had diverged, or the file is damaged."
            )
    layers = [tensor for tensor in weights.values() if tensor.ndim > 1 and tensor.numel() > 1]
    if layers and all(bool((each == each.flatten()[0]).all()) for each in layers):
        raise UserError(
            f"{where}: all weights of a layer are the same, in every layer: it was saved before "
            "its values were there."
        )
