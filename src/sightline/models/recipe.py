"""Recipe of a model: everything that it is built from, but the size of its images."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sightline.config.components import build
from sightline.config.fine_tuning_keys import FineTuningConfig
from sightline.config.schema import MODEL_COMMON, ModelInputConfig
from sightline.config.validation import Node, pick, validate, without
from sightline.errors import UserError
from sightline.models.fine_tuning import prepare_network
from sightline.models.fitting_size import is_built_for_size, smallest_size, steps_of
from sightline.models.input_check import InputCheck, check_input, runs
from sightline.types import DatasetInfo, ImgSize, PreprocessSpec, as_img_size

WITHOUT_WEIGHTS = {"pretrained": False, "pretrained_path": None, "freeze_backbone": False}


@dataclass(frozen=True)
class Recipe:
    """The config of a model, and the facts about its data.

    Attributes:
        node: the config's `model`.
        model_input: its part that is the same for every model.
        info: about the data set.
        num_outputs: outputs of the model.
        plugins: packages whose classes may be named.
        given: the network of model=given; None for other models.
    """

    node: Node
    model_input: ModelInputConfig
    info: DatasetInfo
    num_outputs: int
    plugins: tuple[str, ...]
    given: nn.Module | None = None

    @property
    def name(self) -> str:
        """The model's name, for messages."""
        return str(self.node.get("name") or self.node["_target_"].rsplit(".", 1)[-1])

    @property
    def size(self) -> ImgSize:
        """The images' size for a model that brings none of its own, in pixels."""
        most = self.model_input.max_img_size or self.info.img_size
        return self.given_size or min(self.info.img_size, most)

    @property
    def given_size(self) -> ImgSize | None:
        """The size that the config gives."""
        size = self.model_input.img_size
        return None if size is None else as_img_size(size)

    @property
    def in_chans(self) -> int:
        """Channels of the images, as the network takes them."""
        return self.model_input.in_chans or self.info.in_chans

    @property
    def fine_tuning(self) -> FineTuningConfig:
        """How pretrained weights are trained further."""
        return validate(FineTuningConfig, pick(self.node, FineTuningConfig), "model.")

    def build(self, size: ImgSize, random: bool = False) -> tuple[nn.Module, PreprocessSpec]:
        """The network and its preprocessing; with `random` no weights are loaded."""
        spec = PreprocessSpec.from_data(self.info, size, self.in_chans)
        override = size if random else self.given_size
        node = without_weights(self.node) if random else self.node
        network = build_network(node, self.num_outputs, spec, override, self.plugins, self.given)
        if not random:
            prepare_network(network, self.node, self.fine_tuning)
        return network, getattr(network, "preprocess", spec)

    def check(self, size: ImgSize) -> InputCheck:
        """What the network does with images of another size."""
        try:
            with torch.random.fork_rng(devices=[]):
                network, _ = self.build(size, random=True)
        except UserError as error:
            return InputCheck(size, str(error))
        return check_input(network, self.in_chans, size)

    def smallest_working(self, size: ImgSize, network: nn.Module | None) -> InputCheck | None:
        """The smallest larger size that works, tried without memory and then in earnest.

        Args:
            size: that does not work.
            network: built for it; None where it could not be built.
        """
        kept: list[nn.Module] = []

        def works(larger: ImgSize) -> bool:
            if kept and not is_built_for_size(kept[0]):
                return runs(kept[0], self.in_chans, larger)
            try:
                with torch.device("meta"), torch.random.fork_rng(devices=[]):
                    kept[:] = [self.build(larger, random=True)[0]]
            # Also what a network raises that cannot be built without memory.
            except Exception:  # noqa: BLE001
                return False
            return runs(kept[0], self.in_chans, larger)

        return smallest_size(size, steps_of(network), works, self.check)


def without_weights(node: Node) -> Node:
    """A model's node without pretrained weights, also of nodes in it, and so without a probe."""
    return {key: WITHOUT_WEIGHTS.get(key, _inner(value)) for key, value in node.items()}


def _inner(value: Any) -> Any:
    if isinstance(value, dict):
        return without_weights(value)
    return [_inner(each) for each in value] if isinstance(value, list) else value


def build_network(
    node: Node, num_outputs: int, spec: PreprocessSpec, size: ImgSize | None,
    plugins: Iterable[str], given: nn.Module | None,
) -> nn.Module:  # fmt: skip
    """The network that a node describes.

    Args:
        node: the config's `model`.
        num_outputs: outputs of the network.
        spec: preprocessing for a network without weights of its own.
        size: of the images as the user set it; None where the data or the weights decide.
        plugins: packages whose classes may be named.
        given: the network of model=given; None for other models.
    """
    offered: dict[str, Any] = {
        "in_chans": spec.in_chans,
        "img_size": spec.img_size,
        "img_size_override": size,
        "from_data": spec,
        "given": given,
    }
    own = without(node, *MODEL_COMMON)
    network = build(own, "model", plugins, {"num_classes": num_outputs}, offered)
    assert isinstance(network, nn.Module)
    return network
