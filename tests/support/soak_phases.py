"""Kills at a phase of a training: SIGKILL where a function of it is called.

usage: python -m support.soak_phases PHASE CALL WITH_SENDER WORDS_OF_SIGHTLINE...
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

from support.soak import kill_all

# The function by which a phase is entered, where it is looked up.
PHASES = {
    "training": "sightline.training.module:LitClassifier.training_step",
    "validation": "sightline.training.module:LitClassifier.validation_step",
    "checkpoint": "sightline.training.checkpointing.files:AtomicCheckpointIO.save_checkpoint",
    "test": "sightline.training.module:LitClassifier.test_step",
    "tuning": "sightline.metrics.fitted_tuning:fit_tuning",
    "tuning that is saved": "sightline.training.fit:save_tuning",
    "evaluation": "sightline.training.logging.results:evaluate_table",
    "report": "sightline.training.logging.results:log_training_report",
    "export": "sightline.tracking.tracker:Tracker.log_model_checkpoint",
    "results": "sightline.tracking.tracker:Tracker.finish",
    "upload": "sightline.tracking.sender.client:SenderClient.close",
    "summary": "sightline.training.logging.announce:announce",
}


def place_of(phase: str) -> tuple[Any, str]:
    """The object that holds a phase's function, and the function's name."""
    module, _, path = PHASES[phase].partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    return owner, name


def kill_at(phase: str, call: int, with_sender: bool) -> None:
    """Let the CALL-th entry into a phase kill this process and its workers."""
    owner, name = place_of(phase)
    entered = getattr(owner, name)
    calls = 0

    def enter(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            kill_all(os.getpid(), with_sender)
            os.kill(os.getpid(), signal.SIGKILL)
        return entered(*arguments, **options)

    setattr(owner, name, enter)


if __name__ == "__main__":
    from sightline.cli import main

    kill_at(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True")
    sys.argv[1:] = sys.argv[4:]
    sys.exit(main())
