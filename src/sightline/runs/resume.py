"""Resuming a run: its folder, the arguments it began with, and what must not change."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sightline import __version__
from sightline.config.augment_form import as_used, with_logged_form
from sightline.config.legacy import BEFORE, CHANGED
from sightline.config.schema import Job, TrainConfig
from sightline.config.stored_words import check_words
from sightline.config.words import quoted
from sightline.errors import UserError
from sightline.io.redaction import redacted
from sightline.io.secrets import with_credentials
from sightline.metrics.monitor import with_monitor_mode
from sightline.runs.changeable import MAY_CHANGE
from sightline.runs.frozen import Frozen

OF_ITS_LAUNCH = ("hydra.run.dir", "sweep")  # keys that say nothing of a job that is resumed alone


def check_resumable(frozen: Frozen, config: TrainConfig, params: Mapping[str, str]) -> None:
    """Refuse to resume a run under another version or another config.

    Args:
        frozen: the run as it began.
        config: of now.
        params: that the run logged.

    Raises:
        UserError: names each key with both values.
    """
    folder = frozen.job.output_dir
    if frozen.version != __version__:
        raise UserError(
            f"{folder} holds a run of Sightline {frozen.version}; this is {__version__}. Resume it "
            "with the version that began it, or start a new run in another folder."
        )
    began, now = (with_logged_form(each, params) for each in (frozen.config, config))
    differing = differences(began, now)
    if differing:
        lines = [f"  {key}: {old!r} there, {new!r} now" for key, old, new in differing]
        raise UserError(
            f"{folder} holds a run with another config:\n" + "\n".join(lines) + "\nGive the values "
            "it began with, or another folder (hydra.run.dir) for a new run. What may change: "
            f"{', '.join(MAY_CHANGE)}."
        )


def check_same_data(frozen: Frozen | None, data: dict[str, str]) -> None:
    """Refuse to resume with other images or labels than the run began with.

    Args:
        frozen: the run as it began; None: it begins now.
        data: a digest of the content of each split, as it is now.

    Raises:
        UserError: names each split that changed.
    """
    if frozen is None or not frozen.data or frozen.data == data:
        return
    changed = [name for name in frozen.data | data if frozen.data.get(name) != data.get(name)]
    lines = [f"  {each}: {frozen.data.get(each)} there, {data.get(each)} now" for each in changed]
    raise UserError(
        f"{frozen.job.output_dir} holds a run on other data; changed since it began: "
        f"{', '.join(changed)}\n" + "\n".join(lines) + "\nPut the images and labels back as they "
        "were, or give another folder (hydra.run.dir) for a new run."
    )


def differences(
    one: TrainConfig, other: TrainConfig, may_change: tuple[str, ...] = MAY_CHANGE
) -> list[tuple[str, Any, Any]]:
    """Keys whose values differ although they must not, with both values."""
    if one.augment.form == other.augment.form:
        one, other = as_used(one), as_used(other)
    if one.plugins == other.plugins:  # else they differ; a direction may need a plugin's code
        one, other = with_monitor_mode(one), with_monitor_mode(other)
    ours, theirs = (
        dict(_flatten(redacted(each.model_dump(mode="json")), "")) for each in (one, other)
    )
    return [
        (key, ours.get(key), theirs.get(key))
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key) and not _is_under(key, may_change)
    ]


def resume_command(run: object, plugins: Sequence[str] = ()) -> str:
    """The command that resumes a run, as a shell takes it.

    Args:
        run: its folder or id.
        plugins: packages that its config names, which the command has to allow.
    """
    allowed = [f"plugins=[{','.join(plugins)}]"] if plugins else []
    return shlex.join(["sightline", "train", f"resume={run}", *allowed])


def former_defaults(config: TrainConfig) -> list[str]:
    """Overrides for keys whose default is another now, where a run was launched with the former."""
    there = dict(_flatten(config.model_dump(), ""))
    former = {key: BEFORE[key] for key in CHANGED if there.get(key, ...) == BEFORE[key]}
    return [f"++{k}={'null' if value is None else value}" for k, value in former.items()]


def kept_choices(config: TrainConfig) -> list[str]:
    """Overrides for what was left open and decided when a run was launched."""
    form = config.augment.form
    return [] if form == "auto" else [f"++augment.form={form}"]


def no_download(config: TrainConfig) -> list[str]:
    """Overrides by which a resumed run downloads no data, whatever its folder says."""
    return ["++data.download=false"] if "download" in config.data else []


def resumed_arguments(job: Job, given: list[str]) -> list[str]:
    """The arguments that a run was launched with, and those given now in place of their like.

    Raises:
        UserError: one of those that are stored does more than set a value of the config.
    """
    replaced = {_key_of(word) for word in given}
    stored = [
        word
        for word in job.arguments
        if _key_of(word) not in replaced and not _is_under(_key_of(word), OF_ITS_LAUNCH)
    ]
    check_words(stored, job.output_dir)
    kept = [_with_password(word) if "***" in word else _as_set(word) for word in stored]
    return [*kept, *given, f"hydra.run.dir={quoted(str(job.output_dir))}"]


def _with_password(word: str) -> str:
    """An argument whose password was not kept, with the environment's."""
    if _key_of(word) != "tracking.uri":
        raise UserError(f"{word}: what *** stands for is not kept; give this argument again.")
    kept = word.partition("=")[2].strip("\"'")
    return f"tracking.uri={quoted(with_credentials(kept) or kept)}"


def _as_set(word: str) -> str:
    """An argument that added a key then, which the config may have by now."""
    adds = re.match(r"\+\w+\.", word) is not None  # Hydra knows no `++GROUP=OPTION`
    return f"+{word}" if adds else word


def _key_of(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _is_under(key: str, names: tuple[str, ...]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _flatten(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
