"""The words of a subcommand: its own KEY=VALUE options, typed, and overrides of the config."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict

from sightline.config.schema import validate
from sightline.errors import UserError, did_you_mean


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Several = Annotated[tuple[str, ...], BeforeValidator(_listed)]  # KEY=a as well as KEY=[a,b]


class Options(BaseModel):
    """The options of one subcommand; each field is one KEY of KEY=VALUE."""

    model_config = ConfigDict(extra="forbid", frozen=True)


T = TypeVar("T", bound=Options)


def read_options(
    words: Sequence[str], kind: type[T], usage: str, overrides: bool = False
) -> tuple[T, list[str]]:
    """A subcommand's options, and the words that are overrides of a training's config.

    Args:
        words: what follows the subcommand.
        kind: the options that there are; a field's alias is the key where the key has a dot.
        usage: printed for `--help`, and beside a word that is no KEY=VALUE.
        overrides: whether other keys are returned as they are, for Hydra, or refused.

    Raises:
        UserError: an unknown key (with the nearest real one), a missing or a mistyped value.
        SystemExit: 0 after `--help`, 2 for a word that is no KEY=VALUE.
    """
    if {"-h", "--help"} & set(words):
        print(usage.rstrip())
        sys.exit(0)
    fields = {field.alias or name: field for name, field in kind.model_fields.items()}
    known = list(fields)
    values: dict[str, Any] = {}
    others: list[str] = []
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or key.startswith("-"):
            print(f"Error: {word!r}: expected KEY=VALUE.\n{usage.rstrip()}", file=sys.stderr)
            sys.exit(2)
        if key in known:
            values[key] = _parse(key, value, fields[key].annotation)
        elif overrides:
            others.append(word)
        else:
            raise UserError(
                f"Unknown option {key!r}.{did_you_mean(key, known)} The options: "
                f"{', '.join(known)}."
            )
    needed = [
        f"{key}=..." for key, field in fields.items() if field.is_required() and key not in values
    ]
    if needed:
        raise UserError(f"A value is missing: give {' and '.join(needed)}.")
    return validate(kind, values), others


def _parse(key: str, value: str, kind: Any) -> Any:
    """A value as YAML reads it: numbers, true, null, [lists]; what is to be text stays as it is.

    Text may be in quotes, as Hydra wants it where it holds spaces.
    """
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    if not quoted and (kind is str or (kind == str | None and value != "null")):
        return value
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        if value.startswith(("[", "{")):
            raise UserError(f"{key}={value}: this list is not closed or not YAML.") from error
        return value
    return value if isinstance(parsed, dict) and not value.startswith("{") else parsed
