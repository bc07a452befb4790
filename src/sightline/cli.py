"""The `sightline` command. Nothing heavy is imported before a subcommand needs it."""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from sightline.errors import Interrupted, UserError, did_you_mean

USAGE = """\
usage: sightline COMMAND [OVERRIDES]

Train and compare image classifiers; everything is logged to MLflow.

commands:
  train    train one model, or with -m a sweep        sightline train --help
  evaluate a trained model, again or on other data    sightline evaluate --help
  predict  what a model says of images              sightline predict --help
  export   a model as ONNX or torch.export file       sightline export --help
  features what a model sees in images              sightline features --help
  prefetch weights for machines without network       sightline prefetch --help
  doctor   check data, config and machine beforehand  sightline doctor [OVERRIDES]
  cache    decoded images that are kept             sightline cache [clear [KEY ...]]
  runs     how runs stand, and which are gone         sightline runs [FOLDER] [--reap]
  compare  a leaderboard of runs, tested              sightline compare --help
  reproduce  train a run again and compare          sightline reproduce --help
  sync     send what MLflow was not there for         sightline sync [FOLDER]
  ui       open the MLflow UI on the default store    sightline ui [--port 5000]

examples:
  sightline train
  sightline train label_mode=multilabel trainer.max_epochs=10
  sightline train -m model=cnn,timm seed=1,2,3
"""


def train(arguments: list[str]) -> int:
    """Compose the config with Hydra and train: once, or once for each job of a sweep (`-m`)."""
    _outlive_signals()
    from sightline.training.launch import launch

    return launch(arguments)


def job(arguments: list[str]) -> int:
    """Run the job that is frozen in a folder; ranks and sweeps start their processes with this."""
    _outlive_signals()
    from sightline.training.job import run_frozen

    run_frozen(Path(arguments[0]))
    return 0


def _outlive_signals() -> None:
    """Before the rest is imported: a job that Slurm warns in its first seconds is not to die."""
    if "SLURM_JOB_ID" in os.environ:
        from sightline.cluster.requeue import ignore_signals

        ignore_signals()


def evaluate(arguments: list[str]) -> int:
    """Evaluate a trained model on its own splits or on other data."""
    from sightline.commands.evaluate import evaluate

    return evaluate(arguments)


def predict(arguments: list[str]) -> int:
    """Write what a trained model says of images into a table."""
    from sightline.commands.predict import predict

    return predict(arguments)


def export(arguments: list[str]) -> int:
    """Write a model as a file that other programs run."""
    from sightline.commands.export import export

    return export(arguments)


def features(arguments: list[str]) -> int:
    """Write what the last layer of a trained model sees of images into a table."""
    from sightline.commands.features import features

    return features(arguments)


def prefetch(arguments: list[str]) -> int:
    """Download pretrained weights into the cache that a training reads."""
    from sightline.commands.prefetch import prefetch

    return prefetch(arguments)


def sync(arguments: list[str]) -> int:
    """Send to MLflow what runs could not say while it was away."""
    from sightline.commands.sync import sync_pending

    return sync_pending(arguments)


def runs(arguments: list[str]) -> int:
    """List runs, and mark those whose process is gone."""
    from sightline.commands.runs import show_runs

    return show_runs(arguments)


def ui(arguments: list[str]) -> int:
    """Replace this process by MLflow's own UI server on the project's default store."""
    from sightline.paths import default_store

    # By the environment: every user of the machine can read a process's arguments.
    uri = os.environ.get("MLFLOW_TRACKING_URI") or default_store()
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri
    command = [sys.executable, "-m", "mlflow", "ui", *arguments]
    sys.stdout.flush()
    os.execv(sys.executable, command)


def doctor(arguments: list[str]) -> int:
    """Find what could fail an hour into a training that has the same overrides."""
    from sightline.commands.doctor import run

    return run(arguments)


def cache(arguments: list[str]) -> int:
    """List the decoded images that are kept, or forget some or all of them."""
    from sightline.commands.cache import show_cache

    return show_cache(arguments)


def compare(arguments: list[str]) -> int:
    """A leaderboard of runs, and whether the best is really better."""
    from sightline.commands.compare import run

    return run(arguments)


def reproduce(arguments: list[str]) -> int:
    """Train a logged run again; 1 where a metric is different."""
    from sightline.commands.reproduce import run

    return run(arguments)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "train": train,
    "job": job,
    "evaluate": evaluate,
    "predict": predict,
    "export": export,
    "features": features,
    "prefetch": prefetch,
    "compare": compare,
    "reproduce": reproduce,
    "doctor": doctor,
    "cache": cache,
    "runs": runs,
    "sync": sync,
    "ui": ui,
}


def main() -> int:
    """Run one subcommand; the exit status is 0, 1 (failed), 2 (usage) or 128 + signal."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from sightline import __version__

        print(f"sightline {__version__}")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"sightline: unknown command {name!r}.{did_you_mean(name, COMMANDS)}\n", USAGE,
              sep="\n", end="", file=sys.stderr)  # fmt: skip
        return 2
    try:
        return COMMANDS[name](rest)
    except UserError as error:
        from sightline.io.secrets import hide_password

        debug = os.environ.get("SIGHTLINE_DEBUG") == "1"
        said = traceback.format_exc().rstrip() if debug else f"Error: {error}"
        print(hide_password(said), file=sys.stderr)
        return 1
    except OSError as error:
        if error.filename is None or os.environ.get("SIGHTLINE_DEBUG") == "1":
            raise
        print(f"Error: Cannot use {error.filename}: {error.strerror}.", file=sys.stderr)
        return 1
    except Interrupted as interrupt:
        return 128 + interrupt.signum
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
