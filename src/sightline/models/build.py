"""Classifier built from the config's `model`, for a training or for a checkpoint's weights."""

import logging
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import nn

from sightline.config.schema import ModelInputConfig
from sightline.config.validation import Node
from sightline.errors import UserError
from sightline.models import ensemble
from sightline.models.classifier import Classifier
from sightline.models.file_weights import percent
from sightline.models.fitting_size import next_size, previous_size, steps_of
from sightline.models.input_check import CannotBuild, InputCheck, check_input
from sightline.models.recipe import Recipe, build_network, without_weights
from sightline.types import DatasetInfo, ImgSize, PreprocessSpec, as_size, size_words

log = logging.getLogger(__name__)


def build_classifier(
    node: Node, model_input: ModelInputConfig, info: DatasetInfo, num_outputs: int,
    plugins: Iterable[str], given: nn.Module | None = None,
) -> Classifier:  # fmt: skip
    """A new model for this data, which takes its images and sees all of their pixels.

    A model's `_target_` is a class or function that returns an nn.Module. It receives
    `num_classes`, and of `in_chans`, `img_size`, `img_size_override` (None unless the user set
    the size) and `from_data` (the spec for training from scratch) those that its signature
    names. Where the module has an attribute `preprocess`, that spec is used; else `from_data`.

    Where the size is the data's and no output depends on the last rows and columns (a
    transformer's patches do not cover them), images are resized to the next size without such.

    Raises:
        UserError: the model cannot be built, or cannot take images of its size; or it would not
            see all of their pixels, and the size is the config's.
    """
    recipe = Recipe(node, model_input, info, num_outputs, tuple(plugins), given)
    state = torch.get_rng_state()
    try:
        network, spec = recipe.build(recipe.size)
    except CannotBuild as error:
        found = recipe.smallest_working(recipe.size, None)
        if found is None:
            raise
        raise UserError(_cannot_take(recipe, recipe.size, str(error), found, None)) from error
    check = check_input(network, recipe.in_chans, spec.img_size)
    if check.error is not None:
        found = recipe.smallest_working(spec.img_size, network)
        raise UserError(_cannot_take(recipe, spec.img_size, check.error, found, network))
    note = None
    if check.unseen:
        larger = next_size(spec.img_size, steps_of(network), recipe.check)
        if larger is None or recipe.given_size or spec.img_size != recipe.size:
            note = _check_unseen(recipe, check, larger, network)
        else:
            note = (
                f"images are resized from {size_words(check.size)} to {size_words(larger.size)} "
                f"pixels: at {size_words(check.size)}, "
                f"{recipe.name} would never see {percent(check.unseen)} of them"
            )
            torch.set_rng_state(state)  # the same weights as of a model built for this size
            network, spec = recipe.build(larger.size)
            check = check_input(network, recipe.in_chans, larger.size)
        log.warning("%s %s", "input:".ljust(8), note)
    classifier = Classifier(network, _for_data(spec, info))
    classifier.input_note = note
    classifier.one_value = check.one_value
    return classifier


def _for_data(spec: PreprocessSpec, info: DatasetInfo) -> PreprocessSpec:
    """The model's preprocessing with what the data decides: how its files are read and laid out."""
    spec = spec.with_geometry(info.geometry) if info.geometry_given else spec
    return replace(spec, background=info.background, decode=info.decode, pixels=info.pixels)


def _check_unseen(
    recipe: Recipe, check: InputCheck, larger: InputCheck | None, network: nn.Module
) -> str:
    """Refuse a size that the config gives; of the weights' own size say what is not seen."""
    share = f"see {percent(check.unseen)} of the pixels"
    if recipe.given_size is not None:
        smaller = previous_size(check.size, steps_of(network), recipe.check)
        nearest = " or ".join(
            f"model.img_size={size_words(each.size)}" for each in (smaller, larger) if each
        )
        if nearest:
            raise UserError(
                f"model.img_size={size_words(check.size)}: {recipe.name} would never {share}, "
                f"on which no output depends. The nearest sizes that it sees all of: {nearest}."
            )
    return f"at {size_words(check.size)} pixels, {recipe.name} does not {share}"


def _cannot_take(
    recipe: Recipe, size: ImgSize, problem: str, found: InputCheck | None,
    network: nn.Module | None,
) -> str:  # fmt: skip
    """The message for a size that a network cannot take; with the nearest smaller one that it can,
    where the size is the config's."""
    shown = "×".join(map(str, as_size(size)))
    text = f"{recipe.name} cannot take images of {shown} pixels: {problem.rstrip('.')}."
    if found is None:
        return f"{text} No larger size that was tried works either."
    text += (
        f" The smallest larger size that works is {size_words(found.size)}: add "
        f"model.img_size={size_words(found.size)}, to which images are then resized."
    )
    steps = steps_of(network)
    smaller = previous_size(size, steps, recipe.check) if recipe.given_size is not None else None
    return text if smaller is None else f"{text} A smaller one: {size_words(smaller.size)}."


def rebuild_classifier(
    node: Node, preprocess: PreprocessSpec, num_outputs: int, plugins: Iterable[str],
    given: nn.Module | None = None,
) -> Classifier:  # fmt: skip
    """The model of a checkpoint, without its weights: pretrained ones are never requested."""
    if node.get("_target_") == ensemble.TARGET:
        return Classifier(_ensemble(node, preprocess, num_outputs, plugins), preprocess)
    network = build_network(
        without_weights(node), num_outputs, preprocess, preprocess.img_size, plugins, given
    )
    return Classifier(network, preprocess)


def _ensemble(
    node: Node, preprocess: PreprocessSpec, num_outputs: int, plugins: Iterable[str]
) -> ensemble.Ensemble:
    """The networks of an ensemble's node, each with its own preprocessing."""
    allowed = tuple(plugins)
    own = [PreprocessSpec.from_dict(each["preprocess"]) for each in node["members"]]
    networks = [
        rebuild_classifier(each["model"], spec, num_outputs, allowed).network
        for each, spec in zip(node["members"], own, strict=True)
    ]
    weights = [float(each["weight"]) for each in node["members"]]
    return ensemble.Ensemble(
        networks, weights, str(node["how"]), bool(node["exclusive"]), preprocess, own
    )
