"""The launch of a command line: Hydra composes a job, which is run, or the jobs of a sweep."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sightline.errors import UserError
from sightline.paths import conf_dir
from sightline.training.job import remove_if_refused, run_job

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """\
usage: sightline train [-m] [--cfg job] [--config-dir FOLDER] [OVERRIDES]

Train an image classifier; everything about it is logged to MLflow.

examples:
  sightline train                                  digits, a small CNN
  sightline train label_mode=binary seed=1
  sightline train data=folder data.root=PHOTOS model=timm model.name=resnet18
  sightline train -m model=cnn,timm seed=1,2,3     a sweep of six runs
  sightline train experiment=digits_cnn            a recipe from experiments/

  sightline train -m seed=range(0,5) hydra.launcher.n_jobs=2          two jobs at a time
  sightline train -m hydra/sweeper=optuna hydra.sweeper.n_trials=20 \
      'optimizer.lr=tag(log,interval(1e-4,1e-1))'

  sightline train resume=auto                      resume the same command's unfinished run

flags:
  -m, --multirun        a sweep: one job for every combination of comma-separated values; the same
                        command again runs what is missing
  --cfg job             print the composed config and stop (--resolve fills in references)
  --config-dir FOLDER   add your own folder of configs
  --hydra-help          Hydra's further flags

config groups, to pick from with GROUP=OPTION:
{groups}

all values, as chosen; change one with KEY=VALUE:
{config}"""


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
    from sightline.config.typed import as_typed

    if "--help" in arguments or "-h" in arguments:
        register_resolvers(arguments)
        return _show_help(arguments)
    if {"-m", "--multirun"} & set(arguments) and {"--cfg", "-c", "--info", "-i"} & set(arguments):
        print("Error: --cfg and --info show one job: leave out -m.", file=sys.stderr)
        return 2
    if any(word.startswith("resume=") for word in arguments):
        from sightline.training.resumption import with_folder_to_resume

        arguments = with_folder_to_resume(arguments)
    # Hydra takes flags before overrides alone.
    arguments = sorted(arguments, key=_is_override)
    arguments = as_typed(arguments)
    register_resolvers(arguments)
    try:
        config = _run_hydra(arguments)
        if config is not None:
            with remove_if_refused(Path(config.hydra.runtime.output_dir)):
                _refuse_launcher(str(config.hydra.runtime.choices["hydra/launcher"]))
                _refuse_sweep_options([str(word) for word in config.hydra.overrides.hydra])
                checked, job = read_job(config, None, arguments)
            run_job(checked, job)
    except (HydraException, OmegaConfBaseException) as error:
        _refuse(error, arguments)
    except OSError as error:
        if error.filename is None:
            raise
        raise UserError(f"Cannot use {error.filename}: {error.strerror}.") from error
    return 0


def _run_hydra(arguments: list[str]) -> "DictConfig | None":
    """Run Hydra's command line, which launches sweeps; the composed config of a single run.

    It is the body of `hydra.main`, which itself would read `sys.argv`.
    """
    import hydra.version
    from hydra._internal import utils

    from sightline.config.task import TrainTask

    hydra.version.setbase("1.3")
    parser = utils.get_args_parser()
    parser.prog = "sightline train"
    flags = parser.parse_args(arguments)
    if flags.experimental_rerun is not None:
        raise UserError("--experimental-rerun: use `sightline reproduce`, or resume=FOLDER.")
    task = TrainTask(arguments)
    utils._run_hydra(flags, parser, task, str(conf_dir()), "train")
    return task.composed


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


def _show_help(arguments: list[str]) -> int:
    """Print what can be given and its values now (Hydra's own help takes a second to list this)."""
    from hydra.errors import HydraException
    from omegaconf import OmegaConf

    from sightline.config.search_path import compose_train, list_groups
    from sightline.config.typed import as_typed

    try:
        config = compose_train(arguments, [word for word in as_typed(arguments) if "=" in word])
    except HydraException as error:
        _refuse(error, arguments)
    groups = [f"  {name}: {', '.join(options)}" for name, options in list_groups(arguments).items()]
    print(HELP.format(groups="\n".join(groups), config=OmegaConf.to_yaml(config)), end="")
    return 0


def _refuse(error: Exception, arguments: list[str]) -> NoReturn:
    from hydra.errors import OverrideParseException

    from sightline.config.explain import explain
    from sightline.io.redaction import redact

    message = redact(explain(error, arguments))
    if isinstance(error, OverrideParseException):
        print(f"Error: {message}", file=sys.stderr)
        sys.exit(2)
    raise UserError(message) from error
