"""Checkpoint files: written atomically, and checked before they are used."""

import logging
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from sightline.errors import UserError
from sightline.io.atomic import when_writable
from sightline.models.weight_file import zip_damage
from sightline.training.lightning_compat import finished_epochs_of

log = logging.getLogger(__name__)

PREVIOUS = "previous.ckpt"  # the last checkpoint but one
LAST = "last.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside the old one and then renames it: a crash leaves one of the two.

    The last checkpoint but one is kept too, in case the disk damages a file.

    Args:
        last_is_sound: whether the last checkpoint, where there is one, may take the place of the
            one before.
        check_held: called before a checkpoint takes its place; raises where this process may
            write no more.
    """

    def __init__(self, last_is_sound: bool, check_held: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.last_is_sound = last_is_sound
        self._check_held = check_held or (lambda: None)
        self._own = secrets.token_hex(4)  # in names, which two processes must not share

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint.

        Raises:
            UserError: it cannot be written; the earlier ones are untouched.
            LockLostError: another process took the run's folder over.
        """
        path = Path(path)
        partial = path.with_name(f".{path.name}.{self._own}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as stream:
                torch.save(checkpoint, stream)
                stream.flush()
                os.fsync(stream.fileno())
            self._check_held()
            if path.name == LAST:
                self._keep_one_before(path)
            partial.replace(path)
            _sync_folder(path.parent)
        except (OSError, RuntimeError) as error:
            # torch ends its file in any case, and then complains of that.
            cause = error if isinstance(error, OSError) else error.__context__
            if not isinstance(cause, OSError):
                raise
            raise UserError(
                f"Cannot write the checkpoint {path}: {cause.strerror}. Those written before are "
                f"complete; give the same command again {when_writable(cause)}, and the run "
                "resumes."
            ) from error
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint that is no longer the best.

        Raises:
            LockLostError: another process took the run's folder over.
        """
        self._check_held()
        super().remove_checkpoint(path)

    def _keep_one_before(self, last: Path) -> None:
        if self.last_is_sound and last.is_file():
            link = last.with_name(f".{PREVIOUS}.{self._own}.partial")
            link.unlink(missing_ok=True)
            os.link(last, link)
            link.replace(last.with_name(PREVIOUS))
        self.last_is_sound = True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def find_checkpoint(last: Path) -> Path | None:
    """The newest checkpoint that a run can resume from; damaged ones are named and passed over."""
    previous = last.with_name(PREVIOUS)
    for path in (last, previous):
        if not path.is_file():
            continue
        problem = zip_damage(path)
        if problem is None:
            return path
        before = path == last and previous.is_file()
        log.warning("The checkpoint %s is damaged (%s); %s.", path, problem, "the one before is "
                    "used" if before else "the training begins again")  # fmt: skip
    return None


@dataclass(frozen=True)
class Progress:
    """The progress of a training in a checkpoint.

    Attributes:
        epochs: how many are complete.
        step: optimizer steps done.
        over: whether the training stopped before its last epoch, by early stopping.
    """

    epochs: int
    step: int
    over: bool


def read_state(path: Path) -> dict[str, Any]:
    """The content of a checkpoint; tensors are mapped, and read when they are used.

    Raises:
        UserError: it is no checkpoint of a training.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if not {"loops", "callbacks", "state_dict"} <= state.keys():
            raise ValueError("it has another content")
    except Exception as error:  # another file makes the unpickler raise anything
        raise UserError(
            f"{path} is no checkpoint of a training ({type(error).__name__}). Put the run's own "
            "back, or remove it."
        ) from error
    found: dict[str, Any] = state
    return found


def read_progress(path: Path) -> Progress:
    """The progress of the training in a checkpoint."""
    state = read_state(path)
    return Progress(finished_epochs_of(state), state["global_step"], state["over"])
