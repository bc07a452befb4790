"""One job from its config to its end: locked, tracked, resumed where it stopped."""

import errno
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from sightline.cluster.launched import check_launched
from sightline.cluster.ranks import rank
from sightline.config.job_words import allowed_by, with_allowed_download
from sightline.config.schema import Job, TrainConfig
from sightline.config.stored import check_plugins, trusted_plugins
from sightline.data.known_addresses import check_addresses
from sightline.errors import Interrupted, UserError
from sightline.io.atomic import when_writable
from sightline.io.console import log_to
from sightline.io.stored_address import stored_address
from sightline.metrics.monitor import monitor_mode
from sightline.paths import default_store
from sightline.runs.folder import RunFolder
from sightline.runs.hidden import with_hidden_values
from sightline.runs.intact import check_journal, check_run_file
from sightline.runs.lock import LockLostError
from sightline.runs.resume import check_resumable, resume_command
from sightline.runs.unbegun import RUN, check_unbegun, undone_unless_begun
from sightline.tracking.sender.client import SenderClient, upload_pending
from sightline.training.given import NOTHING, Given

log = logging.getLogger(__name__)

Importing = Callable[[], AbstractContextManager[None]]


def run_job(
    config: TrainConfig, job: Job, given: Given = NOTHING, loaded: bool = False,
    importing: Importing = nullcontext,
) -> None:  # fmt: skip
    """Train in the job's folder, or resume there; of a finished run only print the results.

    Args:
        config: of the training.
        job: where it runs, and by which command.
        given: parts that Python code gives in place of a config's.
        loaded: whether this process has all imports done, and may fork its sender.
        importing: the block in which PyTorch and Lightning are imported.

    Raises:
        UserError: the job cannot be run; a new one leaves no files.
        Interrupted: a signal stopped it.
    """
    check_launched(config.trainer, os.environ)
    folder = RunFolder(job.output_dir)
    if rank() != 0:
        _take_part(config, job, folder, importing)
        return
    check_run_file(folder)
    check_unbegun(folder.path, RUN, "hydra.run.dir")
    with (
        _disk_errors_named(folder), folder.lock(), undone_unless_begun(folder.path, RUN),
        log_to(folder.log),
    ):  # fmt: skip
        monitor_mode(config)  # refused where it contradicts the metric
        frozen = folder.frozen
        check_journal(folder)
        if frozen is not None:
            check_resumable(frozen, config, folder.state.params)
            if not _is_unfinished(folder, config):
                _announce_finished(folder, config)
                return
        _train(config, job, folder, given, frozen is not None, loaded, importing)


def run_frozen(
    path: Path, allowed: Sequence[str], loaded: bool = False, importing: Importing = nullcontext
) -> None:
    """Run the job that is frozen in a folder: further ranks, and jobs of a sweep, start here.

    Args:
        path: the folder.
        allowed: by the command that starts it; see `config/job_words.py`.
        loaded: whether this process has all imports done, and may fork its sender.
        importing: as of `run_job`.

    Raises:
        UserError: there is no job, its config names another package, or `run_job` refuses it.
    """
    folder = RunFolder(path)
    frozen = folder.frozen
    if frozen is None:
        raise UserError(f"{folder} holds no job of Sightline (no run.json).")
    may = allowed_by(allowed)
    check_plugins(frozen.config.plugins, trusted_plugins(may.plugins), folder)
    if not may.addresses:
        check_addresses(frozen.config.data, folder)
    tracking = frozen.config.tracking
    uri = stored_address(tracking.uri, folder, run_id=folder.upload.position().get("run_id"))
    tracking = tracking.model_copy(update={"uri": uri})
    if rank() == 0:
        folder.error = ""
    try:
        config = with_allowed_download(with_hidden_values(frozen.config), may.download)
        config = config.model_copy(update={"tracking": tracking})
        run_job(config, frozen.job, loaded=loaded, importing=importing)
    except BaseException as error:
        if rank() == 0 and not isinstance(error, (Interrupted, LockLostError)):
            message = str(error)
            if not isinstance(error, UserError):
                message = f"{type(error).__name__}: {message}"
            folder.error = message  # for the sweep's summary
        raise


def _take_part(config: TrainConfig, job: Job, folder: RunFolder, importing: Importing) -> None:
    """Train as a further rank: rank 0 reports how the run ended, also with its exit status."""
    if folder.frozen is not None and not _is_unfinished(folder, config):
        return
    with importing():
        from sightline.training.rank_failures import OtherRankFailed
        from sightline.training.run import train
    logging.getLogger().addHandler(logging.NullHandler())  # rank 0 prints
    # With a status of its own it would make launchers end rank 0, which has to log what happened.
    with _disk_errors_named(folder), suppress(Interrupted, OtherRankFailed):
        train(config, job, folder, None)


def _train(
    config: TrainConfig, job: Job, folder: RunFolder, given: Given, resumed: bool, loaded: bool,
    importing: Importing,
) -> None:  # fmt: skip
    if config.tracking.uri is None:  # the same store, wherever it is resumed or synced from
        tracking = config.tracking.model_copy(update={"uri": default_store()})
        config = config.model_copy(update={"tracking": tracking})
    connection = SenderClient(config.tracking, folder, resumed or job.in_sweep, forks=loaded)
    try:
        with importing():
            from sightline.training.logging.announce import announce
            from sightline.training.run import train
        results = train(config, job, folder, connection, given)
    except Interrupted as interrupt:
        connection.close(wait=not interrupt.at_once)
        if not job.in_sweep and folder.last.exists():
            log.info("Resume it with: %s", resume_command(folder, config.plugins))
        raise
    except LockLostError:
        connection.abandon()
        raise
    except BaseException as error:
        connection.failed = isinstance(error, Exception)
        connection.close()
        raise
    connection.close()
    assert results is not None
    announce(folder, results, with_links=not job.in_sweep)


def _announce_finished(folder: RunFolder, config: TrainConfig) -> None:
    from sightline.training.logging.announce import announce

    frozen, results = folder.frozen, folder.results()
    assert frozen is not None
    assert results is not None
    log.info("This run is finished; nothing is trained again.")
    upload_pending(config.tracking, folder)  # it may have been killed before the upload ended
    announce(folder, results, with_links=not frozen.job.in_sweep)


def _is_unfinished(folder: RunFolder, config: TrainConfig) -> bool:
    """Whether something is left to do: the run did not finish, or is to train more epochs."""
    frozen, results = folder.frozen, folder.results()
    if frozen is None or results is None:
        return True
    old, new = frozen.config.trainer.get("max_epochs"), config.trainer.get("max_epochs")
    more = isinstance(old, int) and isinstance(new, int) and (new > old or new == -1 != old)
    if more and results["stopped_early"]:
        log.info("It stopped early, after epoch %d: more epochs change nothing.", results["epochs"])
        return False
    return more


@contextmanager
def _disk_errors_named(folder: RunFolder) -> Iterator[None]:
    """Explain a full or read-only disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        raise UserError(
            f"Cannot write {error.filename or f'in {folder}'}: {error.strerror}. What was logged "
            "and saved before is complete; give the same command again "
            f"{when_writable(error)}, and the run resumes."
        ) from error
