"""Keys that have no effect under others, each with its condition: setting one is an error.

A key is set where an override names it (or what holds it), or where its value is another than the
one with which it says nothing; so a default of a config file is never an error by itself.
"""

from collections.abc import Iterable
from typing import Any

from sightline.config.effect_rule import ALWAYS, Rule
from sightline.config.model_effects import MODEL_RULES, augments
from sightline.config.schema import TrainConfig
from sightline.errors import UserError


def _streaming(config: TrainConfig) -> bool:
    return config.data.get("streaming") is False


def _not_streaming(config: TrainConfig) -> bool:
    return config.data.get("streaming") is True


def _nothing_drawn(config: TrainConfig) -> bool:
    return config.data["train_fraction"] is None and config.data["per_class"] is None


def _no_improvement(config: TrainConfig) -> bool:
    return config.early_stopping.patience_epochs is None


def _no_decay(config: TrainConfig) -> bool:
    epochs, warmup = config.trainer.get("max_epochs"), config.scheduler.get("warmup_epochs")
    if not isinstance(epochs, int) or not isinstance(warmup, int | float):
        return False
    return 0 < epochs <= warmup


def _never_mixed(config: TrainConfig) -> bool:
    epochs = config.trainer.get("max_epochs")
    return isinstance(epochs, int) and 0 < epochs <= config.mix_off_epochs


def _untouched(config: TrainConfig) -> bool:
    augment = config.augment
    return not (augment.transforms or augment.batch_transforms or augment.geometry)


FILE = "data.split_file says which image is in which split"
SEQUENCE = "data.streaming=true reads the label column alone, in sequence"
OF_THE_DECAY = ("final_lr_factor", "cooldown_epochs", "cycles", "decay_fraction", "decay",
                "decay_epochs", "decay_rate", "milestones")  # fmt: skip
RULES = (
    Rule("data.fold", lambda c: c.data["folds"] is None,
         "it chooses one of data.folds parts; give data.folds=K too", 0),
    Rule("data.folds", lambda c: c.data["split_file"] is not None, FILE, None),
    Rule("data.split_by", lambda c: c.data["split_file"] is not None, FILE, "seed"),
    Rule("data.test_fraction", lambda c: c.data["split_file"] is not None, FILE),
    Rule("data.val_fraction", lambda c: c.data["split_file"] is not None, FILE),
    Rule("data.val_fraction", lambda c: c.data["folds"] is not None,
         "val is one of data.folds equal parts of what is not test"),
    Rule("data.draw_seed", _nothing_drawn,
         "it draws the part of the training images that data.train_fraction or data.per_class "
         "asks for", 0),
    Rule("data.train_fraction", _not_streaming, SEQUENCE, None),
    Rule("data.per_class", _not_streaming, SEQUENCE, None),
    Rule("data.bits", lambda c: c.data["range"] is not None,
         "data.range says what becomes black and white", "auto"),
    Rule("data.effective_batch_size", lambda c: c.data["batch_size"] != "auto",
         "a step has data.batch_size times trainer.accumulate_grad_batches images; it is held "
         "where data.batch_size=auto"),
    Rule("trainer.accumulate_grad_batches", lambda c: c.data["batch_size"] == "auto",
         "data.batch_size=auto accumulates batches to data.effective_batch_size", 1),
    Rule("optimizer.lr_base_size", lambda c: c.optimizer.get("lr_scaling") is None,
         "optimizer.lr_scaling=null takes optimizer.lr as it is", 256),
    Rule("data.max_skipped_fraction", lambda c: c.data["on_error"] == "raise",
         "an unreadable image ends the training; data.on_error=skip leaves them out"),
    Rule("data.cache_max_gib", lambda c: c.data["cache"] == "none",
         "data.cache=none writes no images to the cache"),
    Rule("augment.form", _untouched, "augment=none does nothing to an image", "auto"),
    Rule("augment.repeats", lambda c: not augments(c),
         "nothing changes an image (augment=none, mix=none), so its repeats would be the same", 1),
    Rule("augment.frame_size", lambda c: c.augment.geometry is None,
         "augment.geometry=null resizes training images as in evaluation", "auto"),
    Rule("mix_off_epochs", lambda c: not c.mix, "nothing is mixed (mix=none)", 0),
    Rule("mix_off_epochs", _never_mixed,
         "that is the whole training (trainer.max_epochs), which mix=none leaves unmixed", 0),
    Rule("data.num_workers", lambda c: c.data["cache"] == "device",
         "data.cache=device keeps the images on the device, and no process reads them"),
    Rule("data.train_samples", _streaming, "data.streaming=false reads all samples", None),
    Rule("data.shuffle_buffer", _streaming, "data.streaming=false shuffles all samples", 5000),
    Rule("data.group_column", _not_streaming, SEQUENCE, None),
    Rule("data.label_columns", _not_streaming, SEQUENCE, None),
    Rule("data.metadata_columns", _not_streaming, SEQUENCE, None),
    *MODEL_RULES,
    Rule("loss.target_threshold", lambda c: not c.mix,
         "nothing is mixed (mix=none), so targets are 0 or 1", None),
    Rule("tuning.raps_penalty", lambda c: c.tuning.sets != "raps", "it is of tuning.sets=raps",
         0.01),
    Rule("tuning.raps_rank", lambda c: c.tuning.sets != "raps", "it is of tuning.sets=raps", 5),
    Rule("tuning.ood_false_alarms", lambda c: c.tuning.ood is None,
         "tuning.ood=null takes no image for unknown", 0.05),
    Rule("early_stopping.min_delta", _no_improvement,
         "early_stopping.patience_epochs=null never stops early", 0.0),
    *(Rule(f"scheduler.{key}", _no_decay,
           "the warm-up (scheduler.warmup_epochs) lasts the whole training (trainer.max_epochs)")
      for key in OF_THE_DECAY),
    Rule("scheduler.warmup_start_factor", lambda c: c.scheduler.get("warmup_epochs") == 0,
         "scheduler.warmup_epochs=0 warms nothing up", 0.01),
    *(Rule(f"scheduler.{key}", lambda c: c.scheduler.get("cycles") == 1,
           "scheduler.cycles=1 has no second cycle", 1.0)
      for key in ("cycle_mul", "cycle_decay")),
    *(Rule(f"scheduler.{key}", lambda c: c.scheduler.get("cycle_momentum") is False,
           "scheduler.cycle_momentum=false leaves the momentum alone", silent)
      for key, silent in (("base_momentum", 0.85), ("max_momentum", 0.95))),
    Rule("optimizer.decay_all", lambda c: c.optimizer.get("weight_decay") == 0,
         "optimizer.weight_decay=0 decays nothing", False),
    Rule("optimizer.dampening", lambda c: not c.optimizer.get("momentum"),
         "it dampens optimizer.momentum, which is 0", 0),
    Rule("ema.warmup", lambda c: c.ema.decay is None,
         "ema.decay=null averages nothing", False),
    Rule("method.temperature", lambda c: c.method.get("kind") in ("features", "token"),
         "method.kind=features and token have none", 2.0),
    Rule("trainer.gradient_clip_algorithm",
         lambda c: c.trainer.get("gradient_clip_val") is None,
         "nothing is clipped while trainer.gradient_clip_val=null", None),
)  # fmt: skip


def check_effects(
    config: TrainConfig, overrides: Iterable[str], in_sweep: bool, resuming: bool = False
) -> None:
    """Refuse keys that were set and have no effect under the others.

    Args:
        config: the whole config.
        overrides: of the command line, as Hydra has them.
        in_sweep: whether the job is one of a sweep.
        resuming: whether a run is resumed; what it began with was accepted then, and the keys of
            the overrides alone are checked.

    Raises:
        UserError: names the first such key, its value and the reason.
    """
    named = keys_of(overrides)
    for rule in RULES:
        value = value_of(config, rule.key)
        if value is None and not is_set(rule.key, named):
            continue
        spoken = not resuming and rule.silent is not ALWAYS and value != rule.silent
        if rule.idle(config) and (spoken or is_set(rule.key, named)):
            raise idle(rule.key, value, rule.because)
    if is_set("sweep.max_failures", named) and not in_sweep:
        raise idle("sweep.max_failures", config.sweep.max_failures,
                   "a single training is no sweep; add -m")  # fmt: skip


def keys_of(overrides: Iterable[str]) -> set[str]:
    """The keys that overrides give a value."""
    words = (word.lstrip("+") for word in overrides if not word.startswith("~"))
    return {word.partition("=")[0] for word in words}


def is_set(key: str, named: set[str]) -> bool:
    """Whether an override names a key, or a part of it (`augment.transforms.0.degrees`)."""
    return any(name == key or name.startswith(f"{key}.") for name in named)


def idle(key: str, value: Any, because: str) -> UserError:
    """The error for a key that has no effect."""
    shown = "null" if value is None else value
    return UserError(f"{key}={shown} has no effect: {because}. Leave {key} out, or change that.")


def value_of(config: TrainConfig, key: str) -> Any:
    """The value of a key with dots; None where there is none."""
    node: Any = config.model_dump(include={key.split(".")[0]})
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node
