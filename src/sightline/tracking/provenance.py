"""Provenance of a run: commit, uncommitted changes, environment."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

MAX_DIFF = 5_000_000  # characters; a longer diff is cut and marked


@dataclass(frozen=True)
class GitState:
    """The git checkout that the command was run in.

    Attributes:
        commit: the full hash; None outside a checkout or before the first commit.
        status: `git status --porcelain`: changed and untracked files.
        diff: the changes against the commit.
    """

    commit: str | None
    status: str
    diff: str

    @property
    def dirty(self) -> bool:
        """Whether anything was changed or untracked."""
        return bool(self.status)


def git_state() -> GitState | None:
    """The state of the checkout around the working folder; None where there is none."""
    if _git("rev-parse", "--is-inside-work-tree") is None:
        return None
    commit = _git("rev-parse", "--verify", "HEAD")
    status = _git("status", "--porcelain") or ""
    diff = (_git("diff", "--no-color", "--no-ext-diff", "HEAD") or "") if status and commit else ""
    if len(diff) > MAX_DIFF:
        diff = f"{diff[:MAX_DIFF]}\n[cut: {len(diff)} characters in all]\n"
    return GitState(commit.strip() if commit else None, status, diff)


def environment() -> dict[str, Any]:
    """Versions and hardware, in plain containers."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "python": platform.python_version(),
        "os": platform.platform(),
        "host": platform.node(),
        "cpu": _cpu_name(),
        "cpu_cores": len(os.sched_getaffinity(0)),
        "torch_threads": torch.get_num_threads(),
        "gpus": gpus,
        "cuda": torch.version.cuda if gpus else None,
        "cudnn": torch.backends.cudnn.version() if gpus else None,
        "packages": installed_packages(),
    }


def installed_packages() -> dict[str, str]:
    """Versions of all installed packages, from the names of their `.dist-info` folders.

    Their metadata has the same, but reading it delays the first training step.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        for path in Path(folder).glob("*.dist-info"):
            name, _, version = path.stem.rpartition("-")
            found.setdefault(name, version)  # of several, the first on the path is imported
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    """Output of a git command; None where it fails or git is not installed."""
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, timeout=30, check=False, text=True,
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
