"""Options of a command, from Python values in place of the words that a person types."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sightline.config.options import Options
from sightline.config.validation import validate
from sightline.errors import UserError, did_you_mean

T = TypeVar("T", bound=Options)


def options_of(kind: type[T], values: Mapping[str, Any]) -> T:
    """A command's options.

    Args:
        kind: the model of the options.
        values: by the field's name; lists stand for tuples.

    Raises:
        UserError: an unknown name, with the nearest known one, or a value of a wrong type.
    """
    fields = kind.model_fields
    unknown = [name for name in values if name not in fields]
    if unknown:
        raise UserError(
            f"Unknown argument {unknown[0]!r}.{did_you_mean(unknown[0], fields)} The arguments: "
            f"{', '.join(fields)}."
        )
    plain = {
        fields[name].alias or name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
    }
    return validate(kind, plain)
