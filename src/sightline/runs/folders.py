"""The folders of all runs under a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from sightline.runs.folder import RunFolder


def run_folders(root: Path) -> Iterator[RunFolder]:
    """Every run's folder under `root`, the newest first; also one that lost its `run.json`."""
    found = [
        Path(place)
        for place, folders, files in os.walk(root)
        if "run.json" in files or {"tracking", "checkpoints"} <= set(folders)
    ]
    return map(RunFolder, sorted(found, key=_launched_s, reverse=True))


def _launched_s(folder: Path) -> float:
    """When a run was launched or resumed, seconds since 1970."""
    config = folder / "run.json"
    return (config if config.is_file() else folder).stat().st_mtime
