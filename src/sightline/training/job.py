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
from sightline.runs.folder import Frozen, read_results, thaw
from sightline.runs.lock import run_lock
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
    folder = job.output_dir
    with (
        remove_if_refused(folder), _naming_the_disk(folder),
        run_lock(folder), log_to(folder / "train.log"),
    ):  # fmt: skip
        frozen = thaw(folder)
        if frozen is not None:
            check_resumable(frozen, config)
            if not _is_unfinished(frozen, config):
                _announce_finished(config, job)
                return
        _run(config, job, resumed=frozen is not None)


def _take_part(config: TrainConfig, job: Job) -> None:
    """What further ranks do: rank 0 says how the run ended, also with its exit status."""
    if (frozen := thaw(job.output_dir)) is not None and not _is_unfinished(frozen, config):
        return
    from sightline.training.run import train

    logging.getLogger().addHandler(logging.NullHandler())  # rank 0 speaks
    # Lightning kills rank 0, which has to say what happened, as soon as another leaves with a
    # status of its own.
    with suppress(Interrupted):
        train(config, job, None)


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
    connection = SenderClient(config.tracking, job.output_dir, patient=resumed or job.in_sweep)
    try:
        from sightline.training.logging.results import announce
        from sightline.training.run import train

        results = train(config, job, connection)
    except Interrupted as interrupt:
        connection.close(wait=not interrupt.at_once)
        if not job.in_sweep and (job.output_dir / "checkpoints" / "last.ckpt").exists():
            log.info("It goes on with: sightline train resume=%s", job.output_dir)
        raise
    except BaseException as error:
        connection.failed = isinstance(error, Exception)
        connection.close()
        raise
    connection.close()
    assert results is not None
    announce(job, connection.run, results)


def _announce_finished(config: TrainConfig, job: Job) -> None:
    from sightline.tracking.sender.client import read_run_location
    from sightline.training.logging.results import announce

    results = read_results(job.output_dir)
    assert results is not None
    log.info("This run is finished; nothing is trained again.")
    upload_pending(config.tracking, job.output_dir)  # it may have been killed before all was sent
    announce(job, read_run_location(job.output_dir), results)


def _is_unfinished(frozen: Frozen, config: TrainConfig) -> bool:
    """Whether there is something left to do: it did not finish, or is to train more epochs."""
    results = read_results(frozen.job.output_dir)
    if results is None:
        return True
    old, new = frozen.config.trainer.get("max_epochs"), config.trainer.get("max_epochs")
    more = isinstance(old, int) and isinstance(new, int) and (new > old or new == -1 != old)
    if more and results["stopped_early"]:
        log.info("It stopped early, after epoch %d: more epochs change nothing.", results["epochs"])
        return False
    return more


@contextmanager
def _naming_the_disk(folder: Path) -> Iterator[None]:
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
