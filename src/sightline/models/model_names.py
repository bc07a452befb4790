"""timm's names of models: known ones, and former ones with their successors."""

import logging

import timm
from timm.models import get_deprecated_models

from sightline.config.timm_names import unknown_model
from sightline.errors import UserError, did_you_mean

log = logging.getLogger(__name__)


def current_name(name: str) -> str:
    """timm's present name of a model and of its weights; a former one is replaced, and logged.

    Args:
        name: with or without a tag of its weights.

    Raises:
        UserError: timm has no such model, or no such weights.
    """
    architecture, _, tag = name.partition(".")
    former = get_deprecated_models()
    if architecture in former:
        successor = former[architecture]
        if successor is None:
            raise UserError(f"model.name={name}: timm has removed this model, without a successor.")
        present = f"{successor.partition('.')[0]}.{tag}" if tag else successor
        log.info("model.name=%s is called %s by timm now, which is used.", name, present)
        name, architecture = present, present.partition(".")[0]
    if timm.is_model(architecture):
        tags = timm.list_pretrained(f"{architecture}.*")
        if "." in name and name not in tags:
            raise UserError(
                f"model.name={name}: timm has no such weights.{did_you_mean(name, tags)}"
            )
        return name
    raise unknown_model(name, [*timm.list_models(), *timm.list_models(pretrained=True)])
