"""Options of a command: one pydantic model, read from KEY=VALUE, flags and positional words."""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NoReturn, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from sightline.config.validation import validate
from sightline.errors import UserError, did_you_mean

Form = Literal["key", "flag", "positional"]
Others = Literal["refused", "overrides", "anything"]

# Help of options that several commands have.
RUN = (
    "run: its id or first characters, its folder or name, latest, best:val/accuracy, "
    "models:/NAME@ALIAS; or a checkpoint file"
)
PLUGINS = "packages of your own that build the model or define metrics"
URI = "tracking store; by default MLFLOW_TRACKING_URI, or the project's own"
DEVICE = "auto (a GPU where there is one), cpu, cuda or cuda:1"


def as_tuple(value: Any) -> Any:
    """A tuple of one where a single text is given."""
    return (value,) if isinstance(value, str) else value


Several = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]  # KEY=a as well as KEY=[a,b]


class Options(BaseModel):
    """The options of one command; a field is KEY=VALUE, unless `flag` or `positional` made it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    _words: tuple[str, ...] = PrivateAttr(())
    _overrides: tuple[str, ...] = PrivateAttr(())

    @classmethod
    def keys(cls) -> list[str]:
        """The keys of KEY=VALUE."""
        return list(fields_of(cls, "key"))

    @property
    def words(self) -> list[str]:
        """The words as they were typed after the command's name."""
        return list(self._words)

    @property
    def overrides(self) -> list[str]:
        """The words that are no options of the command, such as overrides of a config."""
        return list(self._overrides)


def flag(description: str, default: Any = False, metavar: str | None = None) -> Any:
    """A field that is given as `--name`, or as `--name VALUE` where its type is not bool."""
    extra: JsonDict = {"form": "flag", "metavar": metavar}
    return Field(default, description=description, json_schema_extra=extra)


def positional(description: str, default: Any = None, names_run: bool = False) -> Any:
    """A field that is given as a bare word, in the order of the fields; a tuple takes the rest."""
    extra: JsonDict = {"form": "positional", "names_run": names_run}
    return Field(default, description=description, json_schema_extra=extra)


def run_named(default: Any = ..., several: bool = False) -> Any:
    """A field whose value names a run, or several; a name that no run has is refused at once."""
    text = f"two or more, each a {RUN}" if several else RUN
    return Field(default, description=text, json_schema_extra={"names_run": True})


def named_runs(options: "Options") -> list[str]:
    """The names of runs among a command's options."""
    named = {k for k, f in type(options).model_fields.items() if extra_of(f, "names_run")}
    return [name for key in sorted(named) for name in as_tuple(getattr(options, key)) or ()]


def extra_of(field: FieldInfo, name: str) -> Any:
    """An entry of a field's `json_schema_extra`, such as `form`; None where there is none."""
    extra = field.json_schema_extra
    return extra.get(name) if isinstance(extra, dict) else None


def is_switch(field: FieldInfo) -> bool:
    """Whether a field is a flag without a value."""
    return extra_of(field, "form") == "flag" and field.annotation is bool


def fields_of(kind: type[Options], form: Form) -> dict[str, FieldInfo]:
    """The fields of one form, by the name that a person types: `KEY`, `--flag` or `NAME`."""
    found = {}
    for name, field in kind.model_fields.items():
        if (extra_of(field, "form") or "key") == form:
            dashed = f"--{name.replace('_', '-')}"
            found[dashed if form == "flag" else field.alias or name] = field
    return found


def choices_of(annotation: Any) -> list[str]:
    """The values of a Literal, also within a union or a tuple; empty for other types."""
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return [choice for part in get_args(annotation) for choice in choices_of(part)]


T = TypeVar("T", bound=Options)


def read_options(words: Sequence[str], kind: type[T], usage: str, others: Others = "refused") -> T:
    """A command's options, which also hold the words that are none of them.

    Args:
        words: the words after the command's name.
        kind: the model of the options; a field's alias is its key where the key has a dot.
        usage: printed for `--help`, and beside a word that cannot be read.
        others: other words that are accepted: none, KEY=VALUE (`overrides`), or any word.

    Raises:
        UserError: an unknown key (with the nearest known one), a missing or a mistyped value.
        SystemExit: 0 after `--help`, 2 for a word that cannot be read.
    """
    if {"-h", "--help"} & set(words):
        print(usage.rstrip())
        sys.exit(0)
    keys, flags = fields_of(kind, "key"), fields_of(kind, "flag")
    places = iter(fields_of(kind, "positional").items())
    values: dict[str, Any] = {}
    rest: list[str] = []
    coming = iter(words)
    for word in coming:
        key, sign, value = word.partition("=")
        if key in flags and not (sign and is_switch(flags[key])):
            name = key.removeprefix("--").replace("-", "_")
            values[name] = _flag_value(key, value if sign else None, flags[key], coming)
        elif sign and key in keys:
            values[key] = _parse(key, value, keys[key].annotation)
        elif others == "anything":
            rest.append(word)
        elif not word.startswith("-") and (place := next(places, None)) is not None:
            values[place[0]] = _positional_value(word, place[1], coming, usage)
        elif sign and not key.startswith("-"):
            if others == "refused":
                raise UserError(
                    f"Unknown option {key!r}.{did_you_mean(key, keys)} The options: "
                    f"{', '.join(keys)}."
                )
            rest.append(word)
        else:
            is_flag = word.startswith("-") or not keys
            _refuse(word, f"one of {', '.join(flags)}" if flags and is_flag else "KEY=VALUE", usage)
    missing = [f"{k}=..." for k, field in keys.items() if field.is_required() and k not in values]
    if missing:
        raise UserError(f"A value is missing: give {' and '.join(missing)}.")
    options = validate(kind, values)
    options._words, options._overrides = tuple(words), tuple(rest)
    return options


def _flag_value(name: str, value: str | None, field: FieldInfo, coming: Iterator[str]) -> Any:
    if is_switch(field):
        return True
    if value is None:
        value = next(coming, None)
    if not value:
        raise UserError(f"{name}: give a {str(extra_of(field, 'metavar') or 'value').lower()}.")
    return _parse(name, value, field.annotation)


def _positional_value(word: str, field: FieldInfo, coming: Iterator[str], usage: str) -> Any:
    choices = choices_of(field.annotation)
    if choices and word not in choices:
        _refuse(word, " or ".join(choices), usage)
    return (word, *coming) if get_origin(field.annotation) is tuple else word


def _refuse(word: str, expected: str, usage: str) -> NoReturn:
    print(f"Error: {word!r}: expected {expected}.\n{usage.rstrip()}", file=sys.stderr)
    sys.exit(2)


def _parse(key: str, value: str, kind: Any) -> Any:
    """A value as YAML reads it: numbers, true, null, [lists]; a value of type str stays as it is.

    Text may be in quotes, which Hydra requires where it holds spaces.
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
