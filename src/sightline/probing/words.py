"""The words of a probing command: overrides of the config, of which those of the model may list."""

import itertools
import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from sightline.errors import UserError, counted, did_you_mean

PARTS = (
    "data", "label_mode", "model", "trainer", "tuning", "report", "tracking", "plugins", "seed",
    "monitor", "evaluate_test", "hydra",
)  # fmt: skip
SEVERAL = ("-m", "--multirun")
OF_TRAINING = {  # keys of `model` and `trainer` that say how a backbone is trained
    "model.freeze_backbone", "model.drop_rate", "model.drop_path_rate", "model.head_std",
    "model.cache_features", "model.freeze_batch_norm", "model.lora_rank", "model.lora_alpha",
    "model.lora_layers", "model.grad_checkpointing",
}  # fmt: skip
KEPT = ("trainer", "trainer.accelerator", "trainer.devices", "trainer.precision", "trainer.tf32")
MOST = 1000  # backbones


def backbone_words(words: Sequence[str], known: Sequence[str]) -> list[list[str]]:
    """The overrides of each backbone.

    `model.name=[a,b]`, or with -m `model.name=a,b` and lists of other keys of the model, name
    several. Without `model` it is one of timm's, with its pretrained weights unless others are
    given.

    Args:
        words: after the command's own options.
        known: the command's own options, for messages.

    Raises:
        UserError: a key that a probe does not have, or several values of something else.
    """
    many = not set(SEVERAL).isdisjoint(words)
    overrides = [word for word in words if word not in SEVERAL]
    keys = [word.lstrip("+~").partition("=")[0] for word in overrides]
    _check_keys(overrides, keys, known)
    if "model" not in keys:
        overrides = ["model=timm", *overrides]
    if "model=timm" in overrides and {"model.pretrained", "model.pretrained_path"}.isdisjoint(keys):
        overrides.append("model.pretrained=true")
    lists = [_values(word, many) for word in overrides]
    found = [list(dict.fromkeys(each)) for each in itertools.product(*lists)]
    unique = [list(each) for each in dict.fromkeys(map(tuple, found))]
    if len(unique) > MOST:
        raise UserError(f"{counted(len(unique), 'backbone')}: give at most {MOST:,} at a time.")
    return unique


def _check_keys(words: Sequence[str], keys: Sequence[str], known: Sequence[str]) -> None:
    for word, key in zip(words, keys, strict=True):
        part = key.partition(".")[0]
        if word.startswith("-") or part not in PARTS:
            raise UserError(
                f"Unknown option {key!r}.{did_you_mean(key, [*known, *PARTS])} A probe takes "
                f"{', '.join(known)}, and overrides of {', '.join(PARTS)} ({word!r} is neither)."
            )
        if key in OF_TRAINING or (part == "trainer" and key not in KEPT):
            raise UserError(
                f"{word}: it has no effect on a probe, which trains no network; leave {key} out."
            )
        if part == "hydra" and key != "hydra.run.dir":
            raise UserError(f"{word}: a probe takes hydra.run.dir=FOLDER alone.")
    if "data" not in keys:
        raise UserError(
            "Which data? Give it as for `sightline train`: data=SOURCE, such as data=folder "
            "data.root=FOLDER."
        )


def _values(word: str, many: bool) -> list[str]:
    """The words that one stands for: several for a list of models."""
    key, sign, value = word.partition("=")
    of_model = key.partition(".")[0] == "model"
    if key == "model.name" and value.startswith("["):
        names = _listed(word)
        if not names:
            raise UserError(f"{word}: give at least one model.")
        return [f"{key}={name}" for name in names]
    if not sign or not re.search(r"[,(]", value):
        return [word]
    override = _parsed(word)
    if override is None or not override.is_sweep_override():
        return [word]
    if not of_model:
        raise UserError(f"{word}: one value; several are for the keys of model.")
    if not many:
        raise UserError(f"{word}: several values take -m, or for names model.name=[{value}].")
    if not override.is_discrete_sweep():
        raise UserError(f"{word}: list the values: {key}=A,B.")
    return [f"{key}={each}" for each in override.sweep_string_iterator()]


def _listed(word: str) -> list[str]:
    override = _parsed(word)
    values = None if override is None else override.value()
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise UserError(f"{word}: expected names of models, as in model.name=[resnet18,vit_tiny].")
    return [str(each) for each in values]


def _parsed(word: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None  # the config's own messages are for it
