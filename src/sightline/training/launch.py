"""The launch of a command line: Hydra composes a job, which is run, or the jobs of a sweep."""

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from sightline.errors import UserError
from sightline.io.collection import imports_kept
from sightline.paths import conf_dir
from sightline.training.early_checks import check_early
from sightline.training.job import run_job

if TYPE_CHECKING:
    from omegaconf import DictConfig


def launch(arguments: list[str]) -> int:
    """Run `sightline train ARGUMENTS`.

    Raises:
        UserError: for whatever the user can fix, in the config or in what it names.
    """
    # Hydra then raises what goes wrong instead of printing it in its own way.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from sightline.config.compose import read_job, register_resolvers

    if {"-m", "--multirun"} & set(arguments) and {"--cfg", "-c", "--info", "-i"} & set(arguments):
        print("Error: --cfg and --info show one job: leave out -m.", file=sys.stderr)
        return 2
    given = None
    if any(word.startswith("resume=") for word in arguments):
        from sightline.training.resumption import with_folder_to_resume

        arguments, given = with_folder_to_resume(arguments)
    arguments = as_launched(arguments)
    register_resolvers(arguments)
    try:
        config = _compose(arguments)
        if config is not None:
            _refuse_launcher(str(config.hydra.runtime.choices["hydra/launcher"]))
            _refuse_sweep_options([str(word) for word in config.hydra.overrides.hydra])
            composed, job = read_job(config, None, arguments, given)
            check_early(composed)
            run_job(composed, job, importing=imports_kept)
    except (HydraException, OmegaConfBaseException) as error:
        _refuse(error, arguments)
    except OSError as error:
        if error.filename is None:
            raise
        raise UserError(f"Cannot use {error.filename}: {error.strerror}.") from error
    return 0


def as_launched(arguments: list[str]) -> list[str]:
    """The words as Hydra takes them: flags before overrides, values in quotes where it needs them.

    Raises:
        UserError: a config group is given something other than the name of an option.
    """
    from sightline.config.typed import as_typed

    return as_typed(sorted(arguments, key=_is_override))


def _compose(arguments: list[str]) -> "DictConfig | None":
    """The composed config of a single run; None where Hydra launched a sweep, or showed a config.

    It is the body of `hydra.main`, which itself would read `sys.argv`. Of a single run it would
    also make the folder, and nobody could tell any more whether the folder had been there.
    """
    import hydra.version
    from hydra._internal import utils
    from hydra.types import RunMode

    from sightline.config.compose import compose_single
    from sightline.config.task import TrainTask

    hydra.version.setbase("1.3")
    parser = utils.get_args_parser()
    parser.prog = "sightline train"
    flags = parser.parse_args(arguments)
    if flags.experimental_rerun is not None:
        raise UserError("--experimental-rerun: use `sightline reproduce`, or resume=FOLDER.")
    if not (flags.multirun or flags.cfg or flags.info or flags.hydra_help
            or flags.shell_completion or flags.resolve):  # fmt: skip
        config = compose_single(flags.overrides, flags.config_dir, flags.config_path,
                                flags.config_name)  # fmt: skip
        if config.hydra.mode != RunMode.MULTIRUN:
            return config
    if flags.multirun:
        _refuse_run_options(flags.overrides)
    utils._run_hydra(flags, parser, TrainTask(arguments), str(conf_dir()), "train")
    return None


def _is_override(word: str) -> bool:
    return not word.startswith("-") and ("=" in word or word.startswith("~"))


def _refuse_launcher(chosen: str) -> None:
    """Hydra launches sweeps alone, and would ignore another choice."""
    if chosen != "local":
        raise UserError(
            f"hydra/launcher={chosen} launches sweeps: add -m (with one value for each key it is a "
            "sweep of one job)."
        )


def _refuse_sweep_options(overrides: list[str]) -> None:
    """Options of sweeps have no effect on a single run."""
    for word in overrides:
        if word.lstrip("+").startswith(("hydra.launcher", "hydra.sweep", "hydra/sweeper")):
            raise UserError(f"{word} has no effect: a single training is no sweep; add -m.")


def _refuse_run_options(overrides: list[str]) -> None:
    """Options of a single run have no effect on a sweep."""
    for word in overrides:
        if word.lstrip("+").startswith("hydra.run."):
            raise UserError(
                f"{word} has no effect: a sweep's jobs have folders in hydra.sweep.dir; give that."
            )


def _refuse(error: Exception, arguments: list[str]) -> NoReturn:
    from hydra.errors import OverrideParseException

    from sightline.config.explain import explain
    from sightline.io.redaction import redact

    message = redact(explain(error, arguments))
    if isinstance(error, OverrideParseException):
        print(f"Error: {message}", file=sys.stderr)
        sys.exit(2)
    raise UserError(message) from error
