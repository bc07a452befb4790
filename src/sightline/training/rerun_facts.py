"""Facts that a training depends on: commit, versions, hardware and data, as stored and as now."""

import hashlib
from collections.abc import Mapping
from typing import Any

from sightline.config.schema import TrainConfig
from sightline.data.cache.digests import contents_of_splits
from sightline.data.from_config import apply_label_mode, read_source
from sightline.data.splits.make import split_digest
from sightline.errors import DamagedError
from sightline.io.sealed import read_sealed
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.tracking.mlflow.tags import GIT_COMMIT, GIT_DIRTY
from sightline.tracking.provenance import environment, git_state

ENVIRONMENT = "provenance/environment.json"


def data_facts(config: TrainConfig) -> dict[str, str]:
    """Digests of the data as it is now."""
    _, splits = apply_label_mode(config, read_source(config))
    contents = contents_of_splits(splits)
    found = {name: split.digest(contents[name]) for name, split in splits.items()}
    return {f"data: {key}": d for key, d in (found | {"split": split_digest(splits)}).items()}


def stored_facts(stored: StoredRun) -> dict[str, str]:
    """Commit, versions, hardware and digests of the data as the run stored them."""
    about = read_sealed(stored.file(ENVIRONMENT))
    if not isinstance(about.get("packages"), dict):
        raise DamagedError(stored.file(ENVIRONMENT), "it has no packages")
    commit = stored.tags.get(GIT_COMMIT)
    diff = ""
    if commit is not None and stored.tags.get(GIT_DIRTY) == "True":
        diff = stored.file("provenance/git_status.txt").read_text(encoding="utf-8")
        diff += stored.file("provenance/git.diff").read_text(encoding="utf-8")
    prefix = "data.digest."
    data = {
        f"data: {key.removeprefix(prefix)}": value
        for key, value in stored.params.items()
        if key.startswith(prefix)
    }
    if stored.params.get("data.skipped", "0") != "0":
        data = {}  # skipped images are known only after all images have been read
    return _described(commit, diff, about) | data


def current_facts() -> dict[str, str]:
    """Commit, versions and hardware as they are now."""
    git = git_state()
    commit = None if git is None else git.commit or "none"
    return _described(commit, "" if git is None else git.status + git.diff, environment())


def _described(commit: str | None, changes: str, about: Mapping[str, Any]) -> dict[str, str]:
    """Facts as text, by name; uncommitted changes are compared by their digest."""
    digest = hashlib.blake2b(changes.encode(), digest_size=4).hexdigest()
    facts = {
        "commit": commit or "no git checkout",
        "uncommitted changes": f"yes ({digest})" if changes else "none",
    }
    for key in ("python", "os", "cpu", "cpu_cores", "torch_threads", "gpus", "cuda", "cudnn"):
        value = about.get(key)
        facts[key] = ", ".join(value) if isinstance(value, list) else str(value)
    return facts | {f"package {name}": version for name, version in about["packages"].items()}
