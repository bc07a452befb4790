"""Name, first tags, parameters and note of a run."""

import getpass
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from sightline.config.data_name import data_of
from sightline.config.influence import has_influence, leaves
from sightline.config.schema import Job, TrainConfig
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow import tags

# Config groups whose choice is a parameter of the run.
GROUPS = (
    "data", "label_mode", "model", "augment", "mix", "loss", "method", "optimizer",
    "scheduler", "trainer",
)  # fmt: skip
MAX_VALUE = 200
FOLDERS = re.compile(r"[^\s,:=\[\]{}'\"]*/(?=[^/])")  # of a path in a list
COMPONENT = re.compile(r"\{\s*_target_\s*:\s*['\"]?(?:\w+\.)*(\w+)['\"]?\s*,?\s*")  # of a list


def origin_tags(folder: RunFolder, command: str) -> dict[str, str]:
    """The first tags of every run: its place, the command, the user and a unique key.

    Args:
        folder: the run's own folder.
        command: as it was typed; the journal hides secrets in it.
    """
    return {
        tags.COMMAND: command,
        tags.RUN_FOLDER: str(folder),
        tags.RUN_KEY: uuid.uuid4().hex,
        tags.USER: _user(),
        tags.SOURCE_NAME: "sightline",
        tags.SOURCE_TYPE: "LOCAL",
    }


def run_name(config: TrainConfig, job: Job) -> str:
    """A name that begins with model, seed and fold; then the rest of the group's name.

    A name that was given is kept; in a sweep what sets the job apart follows it.
    """
    if config.tracking.run_name:
        return " ".join([config.tracking.run_name, *map(_short, job.apart)])[:MAX_VALUE]
    model, *rest = _name_parts(config, job)
    fold = [f"f{config.data_common.fold}"] if config.data_common.folds is not None else []
    return " ".join([model, f"s{config.seed}", *fold, *rest])[:MAX_VALUE]


def group_name(config: TrainConfig, job: Job, digest: str) -> str:
    """A name for the runs of one config, in any order of the overrides.

    Args:
        config: of one of them.
        job: of the same.
        digest: of the group; its first digits keep apart what has the same name.
    """
    parts = _name_parts(config, replace(job, overrides=sorted(job.overrides)))
    return f"{' '.join(parts)[:MAX_VALUE]} #{digest[:8]}"


def _name_parts(config: TrainConfig, job: Job) -> list[str]:
    """Model, overrides, data, label mode."""
    overrides = [_short_override(override) for override in job.overrides]
    parts = [_model(config, job), *filter(None, overrides), _data(config, job)]
    if job.choices["label_mode"] != "multiclass":
        parts.append(job.choices["label_mode"])
    return parts


def _data(config: TrainConfig, job: Job) -> str:
    return data_of(config.data, job.choices["data"])


def _model(config: TrainConfig, job: Job) -> str:
    name = config.model.get("name") or job.choices["model"]
    return f"{name}*" if config.model.get("pretrained") else str(name)


def _short_override(override: str) -> str:
    """`optimizer.lr=0.1` as `lr=0.1`; empty for what the name has anyhow."""
    key = override.lstrip("+~").partition("=")[0]
    in_name = {"model", "model.name", "model.pretrained", "label_mode", "data"}
    in_name |= {f"data.{key}" for key in ("name", "train", "class_names")}
    if key in in_name or not has_influence(key):
        return ""
    return _short(override)


def _short(override: str) -> str:
    """The end of a key with its value, without the folders of paths and packages of components."""
    key, _, value = override.lstrip("+~").partition("=")
    if re.fullmatch(r"-?\d*\.\d{6,}(e[+-]?\d+)?", value):
        value = f"{float(value):.6g}"  # as a search samples it
    if value.startswith(("[", "{")):
        value = FOLDERS.sub("", COMPONENT.sub(r"{\1 ", value)).replace(" }", "}")
    elif "/" in value:
        value = PurePath(value).name  # a path says where, not what
    return f"{key.rsplit('.', 1)[-1]}={value}"


def params(config: TrainConfig, job: Job) -> dict[str, Any]:
    """The parameters: the choice of each config group, and every value under a dotted key."""
    values: dict[str, Any] = {name: job.choices[name] for name in GROUPS if name in job.choices}
    if "name" in config.model:
        values["model"] = config.model["name"]
    values["seed"] = config.seed
    values |= {
        key: value
        for key, value in leaves(config.model_dump())
        if value not in (None, {}) and (has_influence(key) or key.partition(".")[0] in GROUPS)
    }
    return values


def note(facts: Mapping[str, str], results: Mapping[str, Mapping[str, str]]) -> str:
    """The run's summary in Markdown.

    Args:
        facts: name and text of each line.
        results: for each split, metrics as text.
    """
    lines = [f"- **{name}**: {value}" for name, value in facts.items()]
    names = list(dict.fromkeys(name for metrics in results.values() for name in metrics))
    if names:
        lines += [
            "",
            f"| metric [95 % interval] | {' | '.join(results)} |",
            f"|---|{'---:|' * len(results)}",
        ]
        for name in names:
            cells = [metrics.get(name, "") for metrics in results.values()]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _user() -> str:
    """The user's name; the number of one without an entry in the password file (containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
