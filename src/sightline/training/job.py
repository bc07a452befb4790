"""One job from its config to its end: locked, tracked, resumed where it stopped."""

import errno
import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sightline.cluster.ranks import rank
from sightline.config.schema import Job, TrainConfig
from sightline.errors import Interrupted, UserError
from sightline.io.console import log_to
from sightline.io.secrets import with_credentials
from sightline.paths import default_store
from sightline.runs.folder import Frozen, RunFolder
from sightline.runs.resume import check_resumable
from sightline.tracking.sender.client import SenderClient, upload_pending

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
        _take_part(config, job)
        return
    folder = RunFolder(job.output_dir)
    with (
        remove_if_refused(folder.path), _naming_the_disk(folder),
        folder.lock(), log_to(folder.log),
    ):  # fmt: skip
        frozen = folder.frozen
        if frozen is not None:
            check_resumable(frozen, config)
            if not _is_unfinished(folder, frozen, config):
                _announce_finished(folder, config, job)
                return
        _run(folder, config, job, resumed=frozen is not None)


def _take_part(config: TrainConfig, job: Job) -> None:
    """What further ranks do: rank 0 says how the run ended, also with its exit status."""
    folder = RunFolder(job.output_dir)
    if (frozen := folder.frozen) is not None and not _is_unfinished(folder, frozen, config):
        return
    from sightline.training.run import train

    logging.getLogger().addHandler(logging.NullHandler())  # rank 0 speaks
    # Lightning kills rank 0, which has to say what happened, as soon as another leaves with a
    # status of its own.
    with suppress(Interrupted):
        train(config, job, folder, None)


def run_frozen(path: Path) -> None:
    """Run the job that is frozen in a folder: further ranks, and jobs of a sweep, start here."""
    folder = RunFolder(path)
    frozen = folder.frozen
    if frozen is None:
        raise UserError(f"{folder} holds no job of Sightline (no run.json).")
    tracking = frozen.config.tracking
    tracking = tracking.model_copy(update={"uri": with_credentials(tracking.uri)})
    if rank() == 0:
        folder.error = ""
    try:
        run_job(frozen.config.model_copy(update={"tracking": tracking}), frozen.job)
    except BaseException as error:
        if rank() == 0 and not isinstance(error, Interrupted):
            words = (
                str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            )
            folder.error = words
        raise


def _run(folder: RunFolder, config: TrainConfig, job: Job, resumed: bool) -> None:
    if config.tracking.uri is None:  # the same store, wherever it is resumed or synced from
        tracking = config.tracking.model_copy(update={"uri": default_store()})
        config = config.model_copy(update={"tracking": tracking})
    connection = SenderClient(config.tracking, folder, patient=resumed or job.in_sweep)
    try:
        from sightline.training.logging.results import announce
        from sightline.training.run import train

        results = train(config, job, folder, connection)
    except Interrupted as interrupt:
        connection.close(wait=not interrupt.at_once)
        if not job.in_sweep and folder.last.exists():
            log.info("It goes on with: sightline train resume=%s", folder)
        raise
    except BaseException as error:
        connection.failed = isinstance(error, Exception)
        connection.close()
        raise
    connection.close()
    assert results is not None
    announce(job, connection.run, results)


def _announce_finished(folder: RunFolder, config: TrainConfig, job: Job) -> None:
    from sightline.training.logging.results import announce

    results = folder.results()
    assert results is not None
    log.info("This run is finished; nothing is trained again.")
    upload_pending(config.tracking, folder)  # it may have been killed before all was sent
    announce(job, folder.upload.location, results)


def _is_unfinished(folder: RunFolder, frozen: Frozen, config: TrainConfig) -> bool:
    """Whether there is something left to do: it did not finish, or is to train more epochs."""
    results = folder.results()
    if results is None:
        return True
    old, new = frozen.config.trainer.get("max_epochs"), config.trainer.get("max_epochs")
    more = isinstance(old, int) and isinstance(new, int) and (new > old or new == -1 != old)
    if more and results["stopped_early"]:
        log.info("It stopped early, after epoch %d: more epochs change nothing.", results["epochs"])
        return False
    return more


@contextmanager
def _naming_the_disk(folder: RunFolder) -> Iterator[None]:
    """Say of a full or read-only disk what it means for the run."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        raise UserError(
            f"Cannot write in {folder}: {error.strerror}. What was told and saved before is whole; "
            "give the same command again when it can be written, and the run goes on."
        ) from error


@contextmanager
def remove_if_refused(output_dir: Path) -> Iterator[None]:
    """Remove the folder of a job or a sweep that was refused before it began."""
    try:
        yield
    except UserError:
        left = {path.name for path in output_dir.iterdir()} if output_dir.is_dir() else {""}
        if left <= {"train.log", "sweep.log"}:
            shutil.rmtree(output_dir)
        raise
