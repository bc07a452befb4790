"""Libraries whose names of layers a file of weights has, for the message of a refusal."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from sightline.models.weight_file import state_dicts

# Of networks that are not read; ResNets, DenseNets and VGGs of torchvision have timm's names.
_NAMES: Mapping[str, re.Pattern[str]] = MappingProxyType({
    "Hugging Face's transformers": re.compile(
        r"(^|\.)(embeddings\.|embedder\.|encoder\.(layers?|stages)\.\d+\.|vision_model\.)"
    ),
    "torchvision": re.compile(
        r"(^|\.)(features\.\d+\.\d+\.(\d+\.|weight$|block\.)|conv_proj\.|encoder_layer_\d+\.|trunk_output\.)"
    ),
})  # fmt: skip
_READ: Mapping[str, str] = MappingProxyType({
    "Hugging Face's transformers": "ViT, DeiT, BEiT, DINOv2, Swin, ConvNeXt and ResNet",
    "torchvision": "ResNet, DenseNet, VGG and those like them",
})  # fmt: skip


def origin_words(content: object) -> str | None:
    """What to do with a file whose names are of another library than timm; None where they are not.

    Args:
        content: of the file.
    """
    names = [key for _, tensors in state_dicts(content) for key in tensors]
    for library, pattern in _NAMES.items():
        if any(pattern.search(name) for name in names):
            return (
                f"Its names are those of {library}, of a network that is not read here; "
                f"{_READ[library]} are. Take timm's own weights of the model "
                "(model.pretrained=true), or save them in timm's names."
            )
    return None
