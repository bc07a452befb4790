"""timm's internals: everything that is used here and is not in its documented interface.

tests/models/test_timm_compat.py fails when a release of timm changes what is relied on.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import timm
from PIL import Image
from timm.data import auto_augment
from timm.models import _builder
from torch import Tensor, nn

StateDict = dict[str, Tensor]
Conversion = Callable[[StateDict], StateDict]
_one_at_a_time = threading.Lock()


def create_with_conversion(name: str, options: dict[str, Any]) -> tuple[nn.Module, Conversion]:
    """A model with random weights, and timm's conversion of published weights to its own names.

    The conversion renames the keys of the original authors' files and resizes position
    embeddings. timm passes it to its loader alone, so that the loader is replaced by one that
    keeps it and loads nothing.
    """
    found: list[Callable[..., StateDict] | None] = []

    def keep(model: nn.Module, *, filter_fn: Any = None, **others: Any) -> None:
        found.append(filter_fn)

    with _one_at_a_time, mock.patch.object(_builder, "load_pretrained", keep), quiet_timm():
        # The file is never opened: it turns off the loaders of single models for other formats.
        overlay = {"file": "weights"}
        network = timm.create_model(
            name, pretrained=True, pretrained_cfg_overlay=overlay, **options
        )
    assert isinstance(network, nn.Module)
    network.pretrained_cfg.pop("file", None)  # type: ignore[union-attr, operator]
    original = found[-1]

    def convert(state: StateDict) -> StateDict:
        if original is None:
            return state
        with quiet_timm():
            try:
                return original(dict(state), network)
            except TypeError:  # some take the weights alone
                return original(dict(state))

    return network, convert


@contextmanager
def quiet_timm() -> Iterator[None]:
    """Keep timm's own lines about loading from the log: Sightline counts what was loaded itself."""
    logger = logging.getLogger("timm")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def with_a_bit_kept(policy: Any) -> Any:
    """timm's augmentation policy, whose Posterize keeps a bit: Pillow 12 and later refuse none."""

    def posterize(image: Image.Image, bits: int, **others: Any) -> Image.Image:
        return auto_augment.posterize(image, max(1, bits), **others)

    for each in getattr(policy, "ops", None) or [op for ops in policy.policy for op in ops]:
        if isinstance(each, auto_augment.AugmentOp) and each.name.startswith("Posterize"):
            each.aug_fn = posterize
    return policy


def first_convolutions(network: nn.Module) -> tuple[str, ...]:
    """Names of the layers that take the image, which are adapted to its number of channels."""
    named: Any = getattr(network, "pretrained_cfg", {}).get("first_conv")
    named = getattr(network, "_traits", {}).get("first_conv", named)  # since timm 1.0.30
    return (named,) if isinstance(named, str) else tuple(named or ())
