"""A session at a terminal: what a page of the documentation tells to type, on tiny data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sightline.api import training as api_training
from sightline.config.schema import Job, TrainConfig
from sightline.metrics.monitor import monitor_mode
from sightline.sweeps import process
from sightline.training import launch
from sightline.training.setup import set_up
from support import cheap_job
from support.commands import ONE_THREAD, Done, Sightline, few_canvases
from support.pages import Block, words_of
from support.served import Served

QUICK = ["trainer.max_epochs=1", "tracking.system_metrics_interval_s=null"]
TRIALS = "hydra.sweeper.n_trials"
SMALL_DIGITS = ["data.test_fraction=0.4", "data.val_fraction=0.4"]


class Session:
    """The blocks of one page, run in its folder; `close` ends the servers that it started."""

    def __init__(self, sightline: Sightline, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.sightline = sightline
        self.patch = patch
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "__page__"}
        self.has_trained = False
        self.sweeps = 0
        self.server: Served | None = None
        self.answer = ""  # of the last command that is not Sightline's
        compose = api_training.compose_job

        def compose_quick(
            words: list[str], given: list[str] | None = None
        ) -> tuple[TrainConfig, Job]:
            return compose([*words, *quick_words(words)], given)

        patch.setattr(api_training, "compose_job", compose_quick)

    def run(self, block: Block) -> None:
        """Run a block; an AssertionError names its command."""
        if block.mark == "not run":
            assert len(block.reason) > 10, f"line {block.line}: why is it not run?"
        elif block.file is not None:
            block.file.parent.mkdir(parents=True, exist_ok=True)
            block.file.write_text(block.text)
        elif block.language == "python":
            exec(compile(block.text, f"line {block.line}", "exec"), self.names)
            self.has_trained |= "train(" in block.text
        elif block.language == "bash":
            for command in block.commands:
                self._command(command, block)

    def close(self) -> None:
        """End what was started."""
        if self.server is not None:
            self.server.stop()

    def _command(self, command: str, block: Block) -> None:
        words = words_of(command)
        where = f"line {block.line}: {command}"
        if words[:2] == ["sightline", "serve"]:
            self.server = Served(words[1:], self.folder.parent / "served.txt")
        elif words[0] == "sightline":
            done = self._sightline(words[1:], block)
            assert done.status == 0, f"{where}\n{done.out}\n{done.err}"
        elif words[0] == "export":
            self.patch.setenv(*words[1].split("=", 1))
        else:
            self._shell(command, where)

    def _sightline(self, words: list[str], block: Block) -> Done:
        if words[0] != "train" or {"--help", "--cfg"} & set(words):
            return self.sightline(*words, tracked=False)
        if block.mark == "composed":
            single = [word for word in words if word not in ("-m", "--multirun")]
            return self.sightline(*single, "--cfg", "job", tracked=False)
        in_full = block.mark == "trains"
        with self.patch.context() as patch:
            if "-m" in words and not in_full:
                patch.setattr(process, "JOB_COMMAND", cheap_job.COMMAND)
                self.sweeps += 1
                away = [f"hydra.sweep.dir={self.folder.parent}/sweep_{self.sweeps}"]
                words = [*map(with_few_trials, words), *away, *cheap_job.AWAY]
            elif "-m" not in words and self.has_trained and not in_full:
                patch.setattr(launch, "run_job", only_set_up)
                words = [*words, *small_digits(words)]
            else:
                self.has_trained = True
                words = [*words, *quick_words(words)]
            return self.sightline(*words, tracked=False)

    def _shell(self, command: str, where: str) -> None:
        if self.server is not None:
            command = command.replace(self.server.documented, self.server.uri)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, check=False,
            env=os.environ | ONE_THREAD | {"PATH": path},
        )  # fmt: skip
        assert done.returncode == 0, f"{where}\n{done.stdout}\n{done.stderr}"
        self.answer = done.stdout


def choices_of(words: list[str]) -> dict[str, str]:
    """The overrides by their keys; where nothing is to be resumed, `auto` is a new training."""
    chosen = {word.partition("=")[0]: word.partition("=")[2] for word in words}
    return {key: value for key, value in chosen.items() if (key, value) != ("resume", "auto")}


def quick_words(words: list[str]) -> list[str]:
    """Overrides that make a training of a second of what a page says."""
    chosen = choices_of(words)
    found = [word for word in QUICK if not ("resume" in chosen and "max_epochs" in word)]
    if "report" not in chosen:
        found.append("report=none")
    return found + small_digits(words)


def with_few_trials(word: str) -> str:
    """The word, or six trials where it asks for more of them."""
    return f"{TRIALS}=6" if word.startswith(f"{TRIALS}=") else word


def small_digits(words: list[str]) -> list[str]:
    """Overrides that take few of the bundled digits, where these are the data."""
    chosen = choices_of(words)
    if {"data", "experiment", "resume"} & set(chosen) and chosen.get("data") != "digits":
        return []
    return SMALL_DIGITS + few_canvases(chosen.get("label_mode", ""))


def only_set_up(config: TrainConfig, job: Job, **_: object) -> None:
    """In the place of a training: all of it as far as the first step."""
    monitor_mode(config)
    set_up(config, job.overrides)
