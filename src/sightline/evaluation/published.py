"""A published model that is evaluated as it is, without a training."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.config.compose import compose_job
from sightline.config.legacy import OF_TARGET
from sightline.config.validation import Node
from sightline.data.from_config import read_given
from sightline.errors import UserError
from sightline.evaluation.overrides import DataOverrides
from sightline.evaluation.stored_model import StoredModel
from sightline.inference.model import LoadedModel
from sightline.label_modes.multiclass import Multiclass
from sightline.models.backbone import published_backbone
from sightline.models.classifier import Classifier
from sightline.models.imagenet import imagenet_names

log = logging.getLogger(__name__)

KEYS = ("_target_", "name", "pretrained", "pretrained_path")  # that mean something here


def published_model(changes: DataOverrides) -> StoredModel:
    """The model that overrides name, with its own head, whose outputs are named as the data's.

    Args:
        changes: overrides of the model and of its data.

    Raises:
        UserError: they name no model of timm's or no data, its weights cannot be loaded, or what
            its outputs mean is not known.
    """
    if not changes.other_data:
        raise UserError(
            "A published model has no data of its own: give data=SOURCE, such as data=folder "
            "data.root=FOLDER."
        )
    config, _ = compose_job([*changes.model, *changes.data])
    node = config.model
    _check(node, changes.model)
    network: Any = published_backbone(node["name"], node["pretrained_path"])
    source = read_given(config)
    names, notes = imagenet_names(network, source.class_names)
    for note in notes:
        log.info("labels:  %s", note)
    spec = replace(network.preprocess, decode=config.data_common.decode)
    mode = Multiclass(names)
    model = LoadedModel(
        Classifier(network, spec).eval(), mode, spec, batch_size=config.data_common.images_a_batch
    )
    total = sum(parameter.numel() for parameter in network.parameters())
    log.info(
        "model:   %s as published, %s parameters, input %d×%d×%d, %d classes", node["name"],
        f"{total:,}", spec.in_chans, *spec.size, len(names),
    )  # fmt: skip
    stored = config.model_dump(exclude={"tracking"})
    return StoredModel(Path(node["name"]), None, model, stored, published=True)


def _check(node: Node, words: tuple[str, ...]) -> None:
    """Refuse another model than timm's, and keys that say how one is trained."""
    if node["_target_"] != OF_TARGET["model"]:
        raise UserError(
            f"{' '.join(words)}: {node['_target_']} was not published with weights; give "
            "model=timm model.name=NAME, or run=RUN for a model that was trained here."
        )
    for word in words:
        key = word.lstrip("+~").partition("=")[0]
        if key != "model" and key.removeprefix("model.") not in KEYS:
            raise UserError(f"{word}: the model is evaluated as it was published; leave {key} out.")
    if any(word.lstrip("+") == "model.pretrained=false" for word in words):
        raise UserError("model.pretrained=false: random weights have no meaning to evaluate.")
