"""Secrets of a frozen config, which its file lacks: a job's processes get them as a variable."""

import json
import os
from collections.abc import Iterable
from typing import Any

from sightline.config.checks import check
from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.io.redaction import HIDDEN, redacted
from sightline.io.secrets import credentials_for_children

VARIABLE = "SIGHTLINE_HIDDEN"


def environment_for(configs: Iterable[TrainConfig]) -> dict[str, str]:
    """Variables with the secrets of some jobs' configs, for processes that read the frozen ones."""
    found: dict[str, str] = {}
    hidden = []
    for config in configs:
        found |= credentials_for_children(config.tracking.uri)
        values = _values(config)
        if redacted(values) != values:
            hidden.append(values)
    return found | ({VARIABLE: json.dumps(hidden)} if hidden else {})


def with_hidden_values(config: TrainConfig, known: Iterable[TrainConfig] = ()) -> TrainConfig:
    """A frozen config with its secrets; its tracking stays as it is.

    Args:
        config: as it was frozen.
        known: configs that may be the same one, with its secrets; beside those of the environment.

    Raises:
        UserError: nothing has what it lacks.
    """
    frozen = _values(config)
    if HIDDEN not in json.dumps(frozen):
        return config
    given = json.loads(os.environ.get(VARIABLE, "[]"))
    for values in (*map(_values, known), *given):
        if redacted(values) == redacted(frozen):
            return check(values | {"tracking": config.tracking.model_dump(by_alias=True)})
    raise UserError(
        f"The run's config holds {HIDDEN} in place of a secret, which is not kept. Give the "
        "command that launched it again, with the secret."
    )


def _values(config: TrainConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude={"tracking"})
