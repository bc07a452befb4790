"""The pages of `sightline train --help`: what matters first, then a group's keys, or one key."""

import textwrap
from collections.abc import Iterable, Sequence

from sightline.config.key_docs import KeyDoc, about_option, key_docs
from sightline.config.search_path import list_groups
from sightline.errors import UserError, did_you_mean

WIDTH, LEFT = 80, 30
PAGE = """\
usage: sightline train [-m] [OVERRIDES]

Train an image classifier; everything about it is logged to MLflow.

examples:
  sightline train                           digits, a small CNN
  sightline train data=folder data.root=PHOTOS model=timm model.name=resnet18
  sightline train -m optimizer.lr=1e-3,1e-2 seed=1,2,3     a sweep of six runs
  sightline train -m seed=range(0,5) hydra.launcher.n_jobs=2    two jobs at once
  sightline train -m hydra/sweeper=optuna hydra.sweeper.n_trials=20 \\
      'optimizer.lr=tag(log,interval(1e-4,1e-1))'           a search
  sightline train experiment=linear_probe data.root=PHOTOS  a recipe
  sightline train resume=auto               the same command's unfinished run

parts, each picked with GROUP=OPTION (more: sightline train --help GROUP):
{groups}

keys that matter most, with KEY=VALUE (more: sightline train --help KEY):
{keys}

flags:
  -m, --multirun          a sweep: one job for each combination of values; the
                          same command again runs what is missing
  --cfg job               print the composed config and stop
  --config-dir FOLDER     add your own folder of configs
  --hydra-help            Hydra's further flags
"""
MAIN = {  # the option whose file describes it; empty: all options share it
    "data.root": "folder", "data.path": "manifest", "data.batch_size": "", "data.val_fraction": "",
    "data.folds": "", "model.name": "timm", "model.pretrained": "timm",
    "model.freeze_backbone": "timm", "model.img_size": "timm", "optimizer.lr": "adamw",
    "optimizer.weight_decay": "adamw", "scheduler.warmup_epochs": "cosine",
    "trainer.max_epochs": "auto", "trainer.devices": "auto", "trainer.precision": "auto",
    "monitor": "", "early_stopping.patience_epochs": "", "seed": "", "evaluate_test": "",
    "tracking.experiment": "mlflow", "tracking.run_name": "mlflow", "tracking.uri": "mlflow",
}  # fmt: skip


def help_page(arguments: list[str], topic: str | None) -> str:
    """The page of a topic: a group, a key or the beginning of keys; None: the first page.

    Args:
        arguments: of the command.
        topic: what was asked for.

    Raises:
        UserError: there is no such group or key.
    """
    groups, docs = list_groups(arguments), key_docs(arguments)
    if topic is None:
        main = [_of_option(docs, *each) for each in MAIN.items()]
        listed = "\n".join(_row(name, ", ".join(found)) for name, found in groups.items()
                           if name != "hydra")  # fmt: skip
        return PAGE.format(groups=listed, keys=_rows(doc for doc in main if doc is not None))
    name = topic.strip(".").partition("=")[0]
    below = [doc for doc in docs if doc.key == name or doc.key.startswith(f"{name}.")]
    if not below and name not in groups:
        known = [*groups, *(doc.key for doc in docs)]
        raise UserError(f"--help {topic}: there is no such key.{did_you_mean(name, known)}")
    lines = []
    if name in groups:
        lines = [f"{name}=OPTION, one of:", *(
            _row(option, about_option(arguments, name, option)) for option in groups[name]
        ), ""]  # fmt: skip
    return "\n".join([*lines, *([f"{name}, its keys:"] if lines else []), _rows(below)]) + "\n"


def _of_option(docs: Sequence[KeyDoc], key: str, option: str) -> KeyDoc | None:
    """A key as one option's file, or the file that all share, describes it."""
    found = [doc for doc in docs if doc.key == key]
    return next((doc for doc in found if not option or option in doc.options), None)


def _rows(docs: Iterable[KeyDoc]) -> str:
    return "\n".join(
        _row(f"{doc.key}={doc.value.replace('???', 'VALUE')}", _meaning(doc)) for doc in docs
    )


def _meaning(doc: KeyDoc) -> str:
    group = doc.key.partition(".")[0]
    where = f"({group}={','.join(doc.options)})" if doc.options else ""
    return " ".join(filter(None, (doc.comment, where)))


def _row(left: str, right: str) -> str:
    indent = " " * (LEFT + 2)
    lines = textwrap.wrap(right, WIDTH - LEFT - 2) or [""]
    if len(left) > LEFT - 2:
        return f"  {left}\n{indent}" + f"\n{indent}".join(lines) if right else f"  {left}"
    return f"  {left:{LEFT}}" + f"\n{indent}".join(lines)
