"""Arguments of a command in quotes where Hydra would misread a value, by the type of its key."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf

from sightline.config.explain import explain
from sightline.config.schema import DataConfig, TrackingConfig
from sightline.config.search_path import choices_among, compose_train, list_groups
from sightline.config.targets import hints_of, locate
from sightline.config.words import quote_overrides
from sightline.errors import UserError
from sightline.io.printable import as_utf8

COMPONENTS = ("data", "label_mode")  # config groups whose keys may take text
# Values that Hydra reads as something other than the name of an option.
NO_OPTION = re.compile(r"|null|true|false|[-+.]?\d[\d._eE+-]*", re.IGNORECASE)


def as_typed(arguments: list[str]) -> list[str]:
    """The arguments with quotes where Hydra's grammar would misread a value.

    Raises:
        UserError: a config group is given something other than the name of an option, or a word is
            not UTF-8.
    """
    for word in arguments:
        if as_utf8(word) != word:
            raise UserError(
                f"The name in {as_utf8(word)} is not UTF-8, as configs and results are. Rename the "
                "file or folder."
            )
    groups = list_groups(arguments)
    for word in arguments:
        group, sign, value = word.partition("=")
        if sign and group in groups and NO_OPTION.fullmatch(value):
            raise UserError(
                f"{word}: {group} is a config group and needs one of its options: "
                f"{', '.join(groups[group])}."
            )
    chosen = choices_among(arguments, groups)

    @cache
    def composed() -> dict[str, Any]:
        config = compose_train(arguments, chosen)
        # The groups alone are needed, and a part that refers to values may lack them.
        plain = OmegaConf.to_container(OmegaConf.masked_copy(config, [*COMPONENTS, "plugins"]))
        assert isinstance(plain, dict)
        return {str(name): node for name, node in plain.items()}

    def types(key: str) -> Any:
        return _type_of(composed, key)

    sweep = not {"-m", "--multirun"}.isdisjoint(arguments)
    try:
        return quote_overrides(arguments, types, sweep)
    except HydraException as error:
        raise UserError(explain(error, arguments)) from error


def _type_of(composed: Callable[[], Mapping[str, Any]], key: str) -> Any:
    """The annotation of a key of `data`, `label_mode` or `tracking`; None where it is not known.

    Args:
        composed: gives the config; called for a component's own keys alone, since it takes time.
        key: dotted.
    """
    group, _, name = key.partition(".")
    if group == "tracking":
        fields = {field.alias or n: field for n, field in TrackingConfig.model_fields.items()}
        return fields[name].rebuild_annotation() if name in fields else None
    if group not in COMPONENTS:
        return None
    if name in DataConfig.model_fields and group == "data":
        return DataConfig.model_fields[name].rebuild_annotation()
    config = composed()
    node = config.get(group)
    if not isinstance(node, Mapping):
        return None
    return hints_of(locate(node, group, config.get("plugins", []))).get(name)
