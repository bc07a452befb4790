"""The architecture of timm that fits the weights in a file best, for the message of a refusal."""

import difflib
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import timm
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from sightline.models.timm_compat import quiet_timm
from sightline.models.transformers_names import from_transformers
from sightline.models.weight_places import places

# One of each family whose weights are passed around; then the relatives of the best are compared.
COMMON = [
    "resnet18", "resnet50", "vit_small_patch16_224", "vit_base_patch16_224", "convnext_tiny",
    "efficientnet_b0", "tf_efficientnet_lite0", "swin_tiny_patch4_window7_224", "densenet121",
    "mobilenetv3_large_100", "mobilenetv2_100", "vgg16", "vgg16_bn", "regnety_016",
    "deit_small_distilled_patch16_224", "vit_small_patch14_dinov2", "beit_base_patch16_224",
    "convnextv2_tiny", "tf_efficientnetv2_s", "inception_v3", "legacy_xception", "mixer_b16_224",
]  # fmt: skip
MAX_RELATIVES, MAX_S = 30, 20.0
ENOUGH, MIN_SCORE = 0.999, 0.5
INITIALISE = {
    "uniform_", "normal_", "constant_", "kaiming_uniform_", "fill_", "zero_", "erfinv_", "mul_",
    "add_", "clamp_",
}  # fmt: skip


def nearest_model(content: object, requested: str, share: float) -> tuple[str, float] | None:
    """The architecture that a file fits best, and the share of it that the file holds.

    Models are built without memory for their weights, for at most MAX_S seconds.

    Args:
        content: of the file.
        requested: name of the model that the file does not fit.
        share: of the requested model that the file holds.

    Returns:
        None where none of those that were compared has half of its values in common with the file.
    """
    end = time.monotonic() + MAX_S
    scores: dict[str, tuple[float, float]] = {}  # of both shares together, and of the model's
    families = [_relatives(requested), COMMON] if share > ENOUGH / 10 else [COMMON]
    for names in [*families, None]:
        for name in names if names is not None else _relatives(max(scores, key=scores.__getitem__)):
            if name not in scores and timm.is_model(name):
                scores[name] = _score(content, name)
            if time.monotonic() > end or max(scores.values())[0] > ENOUGH:
                break
    best = max(scores, key=scores.__getitem__)
    return None if scores[best][0] < MIN_SCORE else (best, scores[best][1])


def _relatives(name: str) -> list[str]:
    """Models of the same file of timm's whose names begin alike, the most similar first."""
    module = timm.model_entrypoint(name).__module__.rpartition(".")[2]
    word = re.match(r"[a-z]+", name)
    own = [each for each in timm.list_models(module=module) if word and each.startswith(word[0])]
    return difflib.get_close_matches(name, own, n=MAX_RELATIVES, cutoff=0.0)


def _score(content: object, name: str) -> tuple[float, float]:
    backbone, head = _shapes(name)
    shares = [
        _overlap(tensors, backbone, head)
        for place in places(content, backbone, most=2)
        for tensors in (place.tensors, from_transformers(place.tensors, head))
        if tensors is not None
    ]
    return max(((of_model * of_file, of_model) for of_model, of_file in shares), default=(0.0, 0.0))


class _Uninitialised(TorchFunctionMode):
    """Leaves tensors without memory as they are: to initialise them takes seconds a model."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in INITIALISE:
            tensor = args[0] if args else kwargs.get("tensor")
            if isinstance(tensor, Tensor) and tensor.is_meta:
                return tensor
        return func(*args, **kwargs)


def _shapes(name: str) -> tuple[dict[str, Tensor], set[str]]:
    """The backbone's tensors, without memory, and the names of the head's."""
    random = torch.random.fork_rng(devices=[])
    with torch.device("meta"), _Uninitialised(), random, quiet_timm():
        network: Any = timm.create_model(name)
        every = network.state_dict()
        network.reset_classifier(0)
    backbone = {key: t for key, t in network.state_dict().items() if t.is_floating_point()}
    return backbone, set(every) - set(backbone)


def _overlap(
    tensors: dict[str, Tensor], backbone: dict[str, Tensor], head: set[str]
) -> tuple[float, float]:
    """The share of the model's values that the file has, and of the file's that the model has."""
    fitting = sum(t.numel() for k, t in backbone.items()
                  if k in tensors and tensors[k].shape == t.shape)  # fmt: skip
    of_model = sum(t.numel() for t in backbone.values())
    of_file = sum(t.numel() for k, t in tensors.items() if k not in head and t.is_floating_point())
    return fitting / max(1, of_model), fitting / max(1, of_file)
