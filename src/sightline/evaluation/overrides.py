"""Overrides of `data` and `tracking`, applied to the config that a checkpoint holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from sightline.config.checks import check
from sightline.config.compose import compose_job
from sightline.config.explain import explain
from sightline.config.schema import Job, TrainConfig
from sightline.config.stored import without_download
from sightline.config.validation import Node
from sightline.data.sources.folder import existing_folder
from sightline.data.tables.files import existing_file
from sightline.errors import UserError, did_you_mean
from sightline.io.redaction import HIDDEN
from sightline.training.early_checks import check_early

# Keys of `data` that are part of the model's preprocessing.
OF_THE_MODEL = ("data.geometry", "data.background", "data.bits", "data.range", "data.channels")


@dataclass(frozen=True)
class DataOverrides:
    """Overrides of an evaluation, by the part of the config that they change.

    Attributes:
        data: overrides of `data`.
        other_data: whether they choose another data source.
        tracking: overrides of `tracking`.
        model: overrides of `model`, which choose a published model in place of a run's.
    """

    data: list[str]
    other_data: bool
    tracking: list[str]
    model: tuple[str, ...] = ()

    @property
    def decode(self) -> bool:
        """Whether they say how JPEGs are decoded; else they are as in the training."""
        return any(word.lstrip("+").startswith("data.decode=") for word in self.data)


UNCHANGED = DataOverrides([], False, [])  # the run's own data


def read_data_overrides(words: list[str], known: Sequence[str], run: str | None) -> DataOverrides:
    """Overrides by the part of the config that they change.

    Args:
        words: KEY=VALUE.
        known: the command's own options, for the message.
        run: whose model is evaluated; None where overrides of `model` choose one.

    Raises:
        UserError: an override would change anything else.
    """
    keys = {word: word.lstrip("+").partition("=")[0] for word in words}
    model = tuple(word for word, key in keys.items() if key == "model" or key.startswith("model."))
    if run is None and not model:
        raise UserError(
            "Nothing to evaluate: give run=RUN, or a published model: model=timm model.name=NAME."
        )
    if run is not None and model:
        raise UserError(f"{model[0]}: run={run} says which model is evaluated; leave one out.")
    for word, key in keys.items():
        if word in model:
            continue
        if key != "data" and not key.startswith(("data.", "tracking.")):
            raise UserError(
                f"Unknown option {key!r}.{did_you_mean(key, known)} An evaluation takes "
                f"{', '.join(known)}, and overrides of data and tracking ({word!r} is neither)."
            )
        if key in OF_THE_MODEL:
            raise UserError(
                f"{word}: images are prepared as in the training, by what the checkpoint holds; "
                f"leave {key} out."
            )
        if key == "data.batch_size" and word.endswith("=auto"):
            raise UserError(f"{word}: it is tried in a training; give an evaluation a number.")
    data = [word for word, key in keys.items() if key == "data" or key.startswith("data.")]
    tracking = [word for word, key in keys.items() if key.startswith("tracking.")]
    return DataOverrides(data, any(keys[word] == "data" for word in data), tracking, model)


def check_data(changes: DataOverrides) -> None:
    """Refuse data, or a published model, that is not there, before PyTorch is imported.

    Raises:
        UserError: as the data source, or the model, would say it.
    """
    if changes.other_data:
        check_early(compose_job([*changes.data, *changes.model])[0])
        return
    given = {each.key_or_group: each.value() for each in _parse(changes.data)}
    if isinstance(root := given.get("data.root"), str):
        existing_folder(root, "data.root")
    for key in ("data.path", "data.split_file"):
        path = given.get(key)  # of Parquet it may be a folder, a pattern or a list
        if isinstance(path, str) and not Path(path).expanduser().exists() and not has_magic(path):
            existing_file(path, key)


def compose_now(changes: DataOverrides) -> tuple[TrainConfig, Job]:
    """The config composed now, for its tracking store and for the folder of a new run."""
    return compose_job(changes.tracking)


def overridden_config(
    stored: Node, now: TrainConfig, plugins: tuple[str, ...], changes: DataOverrides
) -> TrainConfig:
    """The checkpoint's config with overrides of `data`.

    Args:
        stored: config of the checkpoint, which has no `tracking`.
        now: config whose `tracking` is used.
        plugins: packages that may be named beside Sightline's.
        changes: overrides.

    Raises:
        UserError: an override does not fit, or the checkpoint's config is no sound one.
    """
    if not isinstance(stored.get("data"), dict):
        raise UserError("The checkpoint's config describes no data.")
    stored = without_download(stored)
    data = dict(stored["data"])
    if changes.other_data:
        data = compose_job(changes.data)[0].data
    elif changes.data:
        data |= _values(changes.data, data)
    hidden = [key for key, value in data.items() if HIDDEN in str(value)]
    if hidden:
        raise UserError(
            f"data.{hidden[0]}: what {HIDDEN} stands for is not kept in the checkpoint; give "
            f"data.{hidden[0]}=... again."
        )
    return check(stored | {
        "data": data,
        "plugins": list(plugins),
        "tracking": now.tracking.model_dump(),
    })  # fmt: skip


def _parse(words: list[str]) -> list[Override]:
    try:
        return OverridesParser.create().parse_overrides(words)
    except HydraException as error:
        raise UserError(explain(error, words)) from error


def _values(words: list[str], node: Node) -> Node:
    values = {}
    for override in _parse(words):
        key = override.key_or_group.removeprefix("data.")
        if key not in node:
            hint = did_you_mean(f"data.{key}", [f"data.{each}" for each in node])
            raise UserError(
                f"Unknown key 'data.{key}'.{hint} The run's own data has no such option; for other "
                "data give data=SOURCE too."
            )
        values[key] = override.value()
    return values
