"""Arguments of a command in quotes where Hydra would misread a value, by the type of its key."""

import re
from collections.abc import Mapping
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf

from sightline.config.components import hints_of, locate
from sightline.config.explain import explain
from sightline.config.schema import DataConfig, TrackingConfig
from sightline.config.search_path import compose_train, list_groups
from sightline.config.words import quote_overrides
from sightline.errors import UserError

# Values that Hydra reads as something other than the name of an option.
NO_OPTION = re.compile(r"|null|true|false|[-+.]?\d[\d._eE+-]*", re.IGNORECASE)


def as_typed(arguments: list[str]) -> list[str]:
    """The arguments with quotes where Hydra's grammar would misread a value.

    Raises:
        UserError: a config group is given something other than the name of an option.
    """
    groups = list_groups(arguments)
    for word in arguments:
        group, sign, value = word.partition("=")
        if sign and group in groups and NO_OPTION.fullmatch(value):
            raise UserError(
                f"{word}: {group} is a config group and needs one of its options: "
                f"{', '.join(groups[group])}."
            )
    chosen = [word for word in arguments if word.partition("=")[0] in groups and "," not in word]

    def types(key: str) -> Any:
        config = compose_train(arguments, chosen)
        # The groups alone are needed, and a part that refers to values may lack them.
        nodes = ("data", "label_mode", "plugins")
        plain = OmegaConf.to_container(OmegaConf.masked_copy(config, list(nodes)))
        assert isinstance(plain, dict)
        return _type_of({str(name): node for name, node in plain.items()}, key)

    sweep = not {"-m", "--multirun"}.isdisjoint(arguments)
    try:
        return quote_overrides(arguments, types, sweep)
    except HydraException as error:
        raise UserError(explain(error, arguments)) from error


def _type_of(config: Mapping[str, Any], key: str) -> Any:
    """The annotation of a key of `data`, `label_mode` or `tracking`; None where it is not known.

    Args:
        config: composed.
        key: dotted.
    """
    group, _, name = key.partition(".")
    if group == "tracking":
        fields = {field.alias or n: field for n, field in TrackingConfig.model_fields.items()}
        return fields[name].rebuild_annotation() if name in fields else None
    node = config.get(group)
    if group not in ("data", "label_mode") or not isinstance(node, Mapping):
        return None
    if name in DataConfig.model_fields and group == "data":
        return DataConfig.model_fields[name].rebuild_annotation()
    return hints_of(locate(node, group, config.get("plugins", []))).get(name)
