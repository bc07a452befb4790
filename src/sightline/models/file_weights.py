"""Weights of a user's file for a timm model: loaded with their share, or refused with reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from sightline.config.stored_preprocess import stored_preprocess
from sightline.errors import UserError
from sightline.models.head import head_names
from sightline.models.lora import merged
from sightline.models.nearest_model import nearest_model
from sightline.models.stored_weights import check_tensors
from sightline.models.timm_compat import Conversion
from sightline.models.weight_file import read_weight_file
from sightline.models.weight_origin import origin_words
from sightline.models.weight_paths import existing_weights
from sightline.models.weight_values import check_values
from sightline.models.weights import MIN_SHARE, Match, best_match
from sightline.types import PreprocessSpec

NEARLY = 0.9  # of a backbone: then the file is of no other architecture
SHOWN = 3  # names of each kind in a message


@dataclass(frozen=True)
class WeightFile:
    """A file's content, and what Sightline's own checkpoints say of it.

    Attributes:
        path: of the file.
        content: mappings and tensors.
        model: name of the model in a checkpoint of Sightline's; None in another file.
        preprocess: that of a checkpoint of Sightline's; None likewise.
    """

    path: Path
    content: Any
    model: str | None = None
    preprocess: PreprocessSpec | None = None


@dataclass(frozen=True)
class LoadedWeights:
    """Record of weights that were loaded from a file.

    Attributes:
        path: of the file.
        place: wrapper keys and prefix under which they stand in it.
        share: of the backbone's values that are from the file; the head is new.
        missing: names of the backbone's tensors that are not.
        left_over: names of tensors in the file that are not used.
        resized: names of tensors that were adapted to this size, with that in the file.
        renamed: whether their names were those of transformers.
    """

    path: Path
    place: str
    share: float
    missing: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    resized: tuple[str, ...] = ()
    renamed: bool = False

    def __str__(self) -> str:
        at = f", under {self.place}" if self.place else ""
        at += ", in names of transformers" if self.renamed else ""
        text = f"{percent(self.share)} of the backbone from {self.path}{at}; the head is new"
        if self.missing:
            text += f"; not in the file: {_some(self.missing)}"
        if self.left_over:
            text += f"; not used: {_some(self.left_over)}"
        if self.resized:
            text += f"; adapted: {_some(self.resized)}"
        return text


def open_weight_file(path: str) -> WeightFile:
    """Read the file of model.pretrained_path.

    Raises:
        UserError: there is none, or it is not safe to load.
    """
    file = existing_weights(path)
    content = read_weight_file(file)
    own = content.get("sightline") if isinstance(content, Mapping) else None
    if not isinstance(own, Mapping):
        return WeightFile(file, content)
    try:
        node = own["config"]["model"]
        name = str(node.get("name") or node["_target_"])
        spec = stored_preprocess(own["preprocess"])
        state = content.get("state_dict")
        plain = merged(check_tensors(state)) if isinstance(state, Mapping) else state
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"model.pretrained_path={path}: the checkpoint does not describe its model "
            f"({type(error).__name__}: {error}); it was written by another version, or changed."
        ) from error
    return WeightFile(file, {"state_dict": plain}, name, spec)


def load_weights(
    network: nn.Module, name: str, file: WeightFile, in_chans: int, convert: Conversion,
    with_head: bool = False,
) -> LoadedWeights:  # fmt: skip
    """Load a network's backbone from a file; its head stays as it is, unless it is asked for.

    Args:
        network: with random weights.
        name: timm's name of it.
        file: with the weights.
        in_chans: channels of the network's images, to which the first layer is adapted.
        convert: timm's conversion of published weights to the network's names.
        with_head: whether the head is loaded too.

    Raises:
        UserError: they are not the weights of this network, or lack its head.
    """
    head = head_names(network)
    match = best_match(file.content, network, head, in_chans, convert)
    if match is None:
        raise UserError(f"model.pretrained_path={file.path} holds no tensors with names.")
    if not match.fits:
        raise UserError(_refusal(match, name, file))
    if with_head and (absent := head - match.head.keys()):
        raise UserError(
            f"model.pretrained_path={file.path}: {min(absent)} is not in the file in the shape "
            f"that {name} has it: it holds no head with its classes."
        )
    wanted = match.tensors | (match.head if with_head else {})
    check_values(wanted, network.state_dict(), f"model.pretrained_path={file.path}")
    network.load_state_dict(wanted, strict=False)
    return LoadedWeights(
        file.path, match.place.name, match.share, (*match.missing, *match.unfit),
        tuple(match.left_over), tuple(match.resized), match.renamed,
    )  # fmt: skip


def _refusal(match: Match, name: str, file: WeightFile) -> str:
    at = f" (under {match.place.name})" if match.place.name and match.share else ""
    lines = [
        f"model.pretrained_path={file.path} does not fit {name}: {percent(match.share)} of the "
        f"backbone's parameters would be loaded{at}; {percent(MIN_SHARE)} are needed, no layer may "
        "stay random, and none may be left out."
    ]
    kinds = {
        "not in the file": match.missing,
        "other shape": match.unfit,
        "not in the model": [*match.foreign, *match.left_over],
    }
    lines += [f"  {kind}: {_some(names)}" for kind, names in kinds.items() if names]
    if file.model is not None:
        lines.append(f"  It is a checkpoint of Sightline's, of the model {file.model}.")
        return "\n".join(lines)
    given = [*match.left_over, *match.foreign]
    if match.share > NEARLY and not given:
        return "\n".join(lines)  # a file of this architecture that lacks layers
    origin = None if match.renamed else origin_words(file.content)
    if origin is not None:
        lines.append(f"  {origin}")
        return "\n".join(lines)
    nearest = nearest_model(file.content, name, match.share)
    if nearest is not None and nearest[0] != name:
        lines.append(
            f"  Nearest architecture of timm: model.name={nearest[0]}, of which the file has "
            f"{percent(nearest[1])}."
        )
    elif nearest is not None:
        lines.append(f"  No other architecture of timm that was compared fits better than {name}.")
    else:
        lines.append("  No architecture of timm that was compared fits half of it.")
    return "\n".join(lines)


def percent(share: float) -> str:
    """A share in percent that is 100 or 0 only where nothing, or everything, is missing."""
    text = f"{100 * share:.1f} %"
    if text == "100.0 %" and share < 1:
        return "over 99.9 %"
    if text == "0.0 %" and share > 0:
        return "under 0.1 %"
    return text.replace(".0 %", " %")


def _some(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
