"""One job from its config to its end: locked, tracked, resumed where it stopped."""

import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sightline.alive import working_in
from sightline.config import Job, TrainConfig
from sightline.errors import Interrupted, UserError
from sightline.progress import log_to
from sightline.project import default_store
from sightline.ranks import rank
from sightline.resume import check_resumable
from sightline.run_folder import read_results, thaw
from sightline.tracking.connection import Connection
from sightline.tracking.secrets import with_credentials

log = logging.getLogger(__name__)


def run_job(config: TrainConfig, job: Job) -> None:
    """Train in the job's folder, or go on there; a finished run only says what it reached.

    Raises:
        UserError: the job cannot be run; of a new one nothing is left behind.
        Interrupted: a signal stopped it.
    """
    # Lightning starts further ranks with this process's own command.
    sys.argv = [sys.argv[0], "job", str(job.output_dir)]
    if rank() != 0:
        from sightline.training.run import train

        train(config, job, None)
        return
    folder = job.output_dir
    with nothing_left_behind(folder), working_in(folder), log_to(folder / "train.log"):
        frozen = thaw(folder)
        if frozen is not None:
            check_resumable(frozen, config)
            results = read_results(folder)
            if results is not None and not _more_epochs(frozen.config, config):
                _announce_finished(job, results)
                return
        _run(config, job, resumed=frozen is not None)


def run_frozen(folder: Path) -> None:
    """Run the job that is frozen in a folder: further ranks, and jobs of a sweep, start here."""
    frozen = thaw(folder)
    if frozen is None:
        raise UserError(f"{folder} holds no job of Sightline (no run.json).")
    tracking = frozen.config.tracking
    tracking = tracking.model_copy(update={"uri": with_credentials(tracking.uri)})
    why = folder / "error.txt"  # for the sweep's summary
    if rank() == 0:
        why.unlink(missing_ok=True)
    try:
        run_job(frozen.config.model_copy(update={"tracking": tracking}), frozen.job)
    except BaseException as error:
        if rank() == 0 and not isinstance(error, Interrupted):
            words = (
                str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            )
            why.write_text(words, encoding="utf-8")
        raise


def _run(config: TrainConfig, job: Job, resumed: bool) -> None:
    if config.tracking.uri is None:  # the same store, wherever it is resumed or synced from
        tracking = config.tracking.model_copy(update={"uri": default_store()})
        config = config.model_copy(update={"tracking": tracking})
    connection = Connection(config.tracking, job.output_dir, patient=resumed or job.in_sweep)
    try:
        from sightline.training.results import announce
        from sightline.training.run import train

        results = train(config, job, connection)
    finally:
        connection.close()
    assert results is not None
    announce(job, connection.run, results)


def _announce_finished(job: Job, results: dict[str, Any]) -> None:
    from sightline.tracking.connection import run_in_store
    from sightline.training.results import announce

    log.info("This run is finished; nothing is trained again.")
    announce(job, run_in_store(job.output_dir), results)


def _more_epochs(before: TrainConfig, now: TrainConfig) -> bool:
    old, new = before.trainer.get("max_epochs"), now.trainer.get("max_epochs")
    return isinstance(old, int) and isinstance(new, int) and (new > old or new == -1 != old)


@contextmanager
def nothing_left_behind(output_dir: Path) -> Iterator[None]:
    """Remove the folder that Hydra made for a job that was refused before it began."""
    try:
        yield
    except UserError:
        left = {path.name for path in output_dir.iterdir()} if output_dir.is_dir() else {""}
        if left <= {"train.log"}:
            shutil.rmtree(output_dir)
        raise
