"""Places in a file where a network's weights may stand: wrapper keys, and prefixes of names."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from sightline.models.weight_file import state_dicts

# Parts of names under which programs keep a network: Lightning, DistributedDataParallel,
# torch.compile, MoCo, DINO, BYOL, Hugging Face, OpenCLIP, Sightline.
WRAPPERS = frozenset({
    "_orig_mod", "averaged_model", "backbone", "base_encoder", "classifier", "ema", "ema_model",
    "encoder", "encoder_k", "encoder_q", "feature_extractor", "model", "model_ema", "module",
    "momentum_encoder", "net", "network", "online_encoder", "resnet", "student",
    "target_encoder", "teacher", "timm_model", "trunk", "visual", "vit",
})  # fmt: skip
# Parts that wrappers of single layers put inside names: FSDP, checkpointing, torch.compile.
INSIDE = frozenset({"_checkpoint_wrapped_module", "_fsdp_wrapped_module", "_orig_mod"})
# Of two equally fitting networks in a file the one of an average or a teacher is taken, as timm
# does; that of a momentum encoder or a student last.
FIRST = frozenset({"ema", "ema_model", "model_ema", "state_dict_ema", "averaged_model", "teacher"})
LAST = frozenset(
    {"student", "encoder_k", "momentum_encoder", "target_encoder", "current_model_state"}
)


MIN_SHARE = 0.05  # of a network's values, under a prefix that is no known word


@dataclass(frozen=True)
class Place:
    """Tensors of a file under one wrapper and one prefix.

    Attributes:
        name: the wrapper keys and the prefix, as `state_dict/model.`; empty for the top level.
        tensors: by their names without the prefix, and without wrappers of single layers.
    """

    name: str
    tensors: dict[str, Tensor]


def places(content: Any, wanted: dict[str, Tensor], most: int = 8) -> list[Place]:
    """The places that may hold a network, those with most of its names first.

    Args:
        content: of the file.
        wanted: tensors of the network by name.
        most: places that are returned.
    """
    found = []
    for keys, tensors in state_dicts(content):
        fitting = _fitting_prefixes(tensors, wanted)
        for prefix in {"", *fitting, *_known_prefixes(tensors)}:
            words = {*keys, *prefix.split(".")}
            rank = 0 if words & FIRST else 2 if words & LAST else 1
            inside = {
                _unwrapped(key[len(prefix) :]): tensor
                for key, tensor in tensors.items()
                if key.startswith(prefix)
            }
            name = "/".join([*keys, prefix] if prefix else keys)
            place = Place(name, inside)
            found.append((-fitting[prefix], rank, -len(inside), name, place))
    return [place for *_, place in sorted(found, key=lambda each: each[:-1])[:most]]


def _fitting_prefixes(tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> Counter[str]:
    """The number of values that would be loaded, for each prefix before a name of the network."""
    counts: Counter[str] = Counter()
    total = sum(tensor.numel() for tensor in wanted.values())
    for key, tensor in tensors.items():
        for name in _endings(key):
            if name in wanted and wanted[name].shape == tensor.shape:
                counts[key[: len(key) - len(name)]] += tensor.numel()
    return Counter({prefix: n for prefix, n in counts.items() if n >= MIN_SHARE * total})


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in INSIDE)


def _endings(key: str) -> Iterator[str]:
    parts = key.split(".")
    return (".".join(parts[start:]) for start in range(len(parts)))


def _known_prefixes(tensors: dict[str, Tensor]) -> set[str]:
    """Prefixes of known words alone, for files whose names only timm's conversion understands."""
    found = set()
    for key in tensors:
        words: list[str] = []
        for word in key.split(".")[:-1]:
            if word not in WRAPPERS:
                break
            words.append(word)
            found.add(".".join(words) + ".")
    return found
