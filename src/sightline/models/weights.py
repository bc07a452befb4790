"""Weights from a file for a network's backbone: matched by name and shape, counted, and loaded."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from timm.models import adapt_input_conv
from torch import Tensor, nn

from sightline.models.timm_compat import Conversion, first_convolutions
from sightline.models.transformers_names import from_transformers
from sightline.models.weight_places import Place, places

MIN_SHARE = 0.95  # of the backbone's values
STATISTICS = ("running_mean", "running_var")


@dataclass
class Match:
    """Tensors of a file that fit a network, and those that do not.

    Attributes:
        place: in the file.
        renamed: whether its names were those of transformers.
        tensors: of the backbone, by the network's names and in its shapes.
        head: likewise of the head.
        share: of the backbone's values (parameters and running statistics) that are among them.
        missing: names of the backbone's tensors that the file lacks.
        unfit: tensors of the backbone's with another shape in the file.
        foreign: tensors in the file of layers that are the backbone's, but not this network's: of
            further blocks, of attention that it lacks.
        left_over: further tensors of the file that are not used.
        resized: those of `tensors` that have another size in the file: position embeddings, and a
            first layer for images of other channels.
        random_layers: those of `missing` and `unfit` that leave a layer random.
    """

    place: Place
    renamed: bool = False
    tensors: dict[str, Tensor] = field(default_factory=dict)
    head: dict[str, Tensor] = field(default_factory=dict)
    share: float = 0.0
    missing: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)
    random_layers: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        """Whether the backbone's features would be those of the file's network.

        A layer that stays random spoils them, however few its weights are, and so do running
        statistics of another network, and layers of the file that are left out.
        """
        return self.share >= MIN_SHARE and not (self.random_layers or self.unfit or self.foreign)

    @property
    def quality(self) -> tuple[float, ...]:
        """An order of matches, the best one first."""
        # Of those without anything in common that with the file's own names, for the message.
        left_over = len(self.left_over) if self.share else -len(self.left_over)
        return (-self.share, len(self.foreign), -len(self.head), left_over)


def best_match(
    content: Any, network: nn.Module, head: set[str], in_chans: int, convert: Conversion
) -> Match | None:
    """The place in a file that fits a network best; None where the file holds no tensors.

    Args:
        content: of the file.
        network: with random weights.
        head: names of its head's tensors.
        in_chans: channels of its images.
        convert: timm's conversion of published weights to the network's names.
    """
    wanted = network.state_dict()
    best: Match | None = None
    for place in places(content, wanted):
        for form in _forms(place.tensors, head, convert):
            _keep_patches(form, network)
            _adapt_input(form.tensors, network, in_chans)
            match = _compare(Match(place, form.renamed), form, network, wanted, head)
            if best is None or match.quality < best.quality:
                best = match
        if best is not None and best.fits and not best.left_over:
            break
    return best


@dataclass(frozen=True)
class _Form:
    """Tensors of a file in names that a network may have.

    Attributes:
        tensors: by name.
        before: the same before timm's conversion, which renames and resizes.
        renamed: whether their names were those of transformers.
    """

    tensors: dict[str, Tensor]
    before: dict[str, Tensor]
    renamed: bool


def _forms(tensors: dict[str, Tensor], head: set[str], convert: Conversion) -> Iterator[_Form]:
    """The tensors as they are, and as timm converts them; those of transformers in timm's names."""
    for renamed, before in [(False, tensors), (True, from_transformers(tensors, head))]:
        if before is not None:
            yield _Form(dict(before), before, renamed)
            try:
                yield _Form(dict(convert(before)), before, renamed)
            except Exception:  # noqa: BLE001  it is made for certain files, and given another one
                continue


def _keep_patches(form: _Form, network: nn.Module) -> None:
    """Undo timm's resizing of a first layer: one of other patches is of another architecture."""
    for layer in first_convolutions(network):
        weight = form.before.get(f"{layer}.weight")
        own: Any = network.get_submodule(layer).weight
        if weight is not None and weight.ndim == 4 and weight.shape[2:] != own.shape[2:]:
            form.tensors[f"{layer}.weight"] = weight


def _adapt_input(tensors: dict[str, Tensor], network: nn.Module, in_chans: int) -> None:
    """Adapt the first layers to another number of channels, as timm does."""
    for layer in first_convolutions(network):
        weight = tensors.get(f"{layer}.weight")
        own: Any = network.get_submodule(layer).weight
        if weight is None or weight.ndim != 4 or weight.shape[1] == own.shape[1]:
            continue
        channels = weight.shape[1] * in_chans // own.shape[1]  # of the file's images
        try:
            tensors[f"{layer}.weight"] = adapt_input_conv(in_chans, weight, channels)
        except (NotImplementedError, ValueError, AssertionError):
            continue  # it stays in its shape, and is reported


def _compare(
    match: Match, form: _Form, network: nn.Module, wanted: dict[str, Tensor], head: set[str]
) -> Match:
    tensors = form.tensors
    values = loaded = 0
    for name, own in wanted.items():
        given = tensors.get(name)
        if name in head:
            if given is not None and given.shape == own.shape:
                match.head[name] = given
            continue
        if given is not None and given.shape == own.shape:
            match.tensors[name] = given
            before = form.before.get(name, given)
            if before.numel() != given.numel():
                match.resized.append(f"{name} ({_size(before)} in the file)")
        if not own.is_floating_point():
            continue  # a counter or an index, which is no weight
        values += own.numel()
        if name in match.tensors:
            loaded += own.numel()
            continue
        if given is None:
            match.missing.append(name)
        else:
            sizes = f"{_size(given)} in the file, {_size(own)} in the model"
            match.unfit.append(f"{name} ({sizes})")
        if own.ndim > 1 or name.endswith(STATISTICS):
            match.random_layers.append(name)
    match.share = loaded / max(1, values)
    modules = dict(network.named_modules())
    heads = {name.rpartition(".")[0] for name in head}
    for name, given in tensors.items():
        if name not in wanted and given.is_floating_point():
            foreign = _is_foreign(name, modules, heads)
            (match.foreign if foreign else match.left_over).append(name)
    return match


def _is_foreign(name: str, modules: dict[str, nn.Module], heads: set[str]) -> bool:
    """Whether a tensor belongs to a module of the backbone's that has no such tensor."""
    owner = name.rpartition(".")[0]
    while owner not in modules:
        owner = owner.rpartition(".")[0]
    if not owner or any(owner == each or each.startswith(f"{owner}.") for each in heads):
        return False
    # A norm after the blocks belongs to one way of pooling, and is an Identity in the other.
    return "." in owner or not isinstance(modules[owner], nn.Identity)


def _size(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "1"
