"""Description of a model in its checkpoint, checked: a stranger may have written it."""

from pathlib import Path
from typing import Annotated, Any

from packaging.version import Version
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from sightline import __version__
from sightline.config.stored import stored_config
from sightline.errors import UserError


def _unlike(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("two classes have one name")
    return names


class _Target(BaseModel):
    target: str = Field(alias="_target_")


class _Described(BaseModel):
    """Those parts of a checkpoint's config that are read from it before its model is built."""

    label_mode: _Target
    model: dict[str, Any]
    data: dict[str, Any]
    trainer: dict[str, Any]
    monitor: str


def _with_its_parts(config: dict[str, Any]) -> dict[str, Any]:
    _Described.model_validate(config)
    return config


class Identity(BaseModel):
    """Description of a model that a checkpoint holds beside its weights."""

    version: str
    class_names: Annotated[list[str], Field(min_length=1), AfterValidator(_unlike)]
    preprocess: dict[str, Any]
    config: Annotated[dict[str, Any], AfterValidator(_with_its_parts)]
    tuning: dict[str, Any] = {}
    precision: str | None = None  # as its device decided; the config's, where it was saved before
    channels_last: bool = False  # likewise


def checked_identity(described: object, path: Path) -> Identity:
    """The description in a checkpoint, with a config of plain values.

    Args:
        described: as it was read.
        path: of the checkpoint, for messages.

    Raises:
        UserError: no training wrote it, or that of a newer version.
    """
    values = described if isinstance(described, dict) else {}
    try:
        identity = Identity.model_validate(values)
    except ValidationError as error:
        fields = ", ".join(dict.fromkeys(_key(problem["loc"]) for problem in error.errors()))
        raise UserError(
            f"{path} has no {fields} that Sightline {__version__} understands: it was written by "
            "another version, or changed since."
        ) from error
    try:
        newer = Version(identity.version) > Version(__version__)
    except ValueError as error:
        raise UserError(f"{path}: {identity.version[:40]!r} is no version of Sightline.") from error
    if newer:
        raise UserError(
            f"{path} was written by Sightline {identity.version}, and this is {__version__}; "
            "install that version, or a later one."
        )
    identity.config = stored_config(identity.config, path)
    return identity


def _key(place: tuple[int | str, ...]) -> str:
    return ".".join(map(str, place[:2] if place[0] == "config" else place[:1]))
