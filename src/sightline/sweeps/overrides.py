"""The overrides of a sweep's command, parsed by Hydra's grammar, and their combinations."""

import itertools
from collections.abc import Mapping
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from sightline.errors import UserError


def parse(loader: Any, params: Mapping[str, Any], arguments: list[str]) -> list[Override]:
    """The overrides of a sweep; a key's last one counts, and the command line's come last.

    Args:
        loader: Hydra's, which resolves `glob(...)`.
        params: `{KEY: VALUES}` of a config.
        arguments: of the command line.
    """
    parser = OverridesParser.create(config_loader=loader)
    words = [f"{key}={value}" for key, value in params.items()] + arguments
    overrides = parser.parse_overrides(words)
    return list(
        {override.get_key_element().lstrip("+"): override for override in overrides}.values()
    )


def combinations(loader: Any, params: Mapping[str, Any], arguments: list[str]) -> list[list[str]]:
    """The overrides of each job of a plain sweep.

    Raises:
        UserError: a range without steps has no list of values.
    """
    choices = []
    for override in parse(loader, params, arguments):
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise UserError(
                f"{override.input_line}: a plain sweep tries listed values; `interval(...)` is a "
                "space to search in. Add hydra/sweeper=optuna, or list values: "
                f"{override.get_key_element()}=A,B or =range(START,STOP,STEP)."
            )
        choices.append(override_words(override))
    return [list(words) for words in itertools.product(*choices)]


def override_words(override: Override) -> list[str]:
    """An override as one `KEY=VALUE` for each of its values."""
    key = override.get_key_element()
    if override.is_sweep_override():
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    if override.is_delete():
        return [str(override.input_line)]
    return [f"{key}={override.get_value_element_as_str()}"]
