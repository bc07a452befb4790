"""Keys whose value a run decided: what of them its results depend on.

A value that is given and the same one that `auto` or null chose are one config. Each key is put
back to its default where a fact of the run says what became of it, so that runs with the default
keep the digest that they had before.
"""

from collections.abc import Mapping
from typing import Any, Final

GEOMETRY: Final = "model.crop_mode"  # of its preprocessing: as given, of its weights or the data
INPUT: Final = "model.input"  # channels, height and width
RANGE: Final = "data.range.used"  # of values in files of more than 8 bits
FRAME: Final = "augment.frame_size.used"
FRAME_OF_AUTO: Final = "augment.frame_size.auto"  # what auto takes in its place
AIM: Final = "tuning.aim.used"  # none where the label mode has no thresholds
CLASS_WEIGHTS: Final = "loss.class_weights.used"  # none or balanced; other ones are not logged
PRECISION: Final = "trainer.precision.used"  # where the config leaves it open: by the device
FORMAT: Final = "model.channels_last.used"  # likewise
FUSED: Final = "optimizer.fused.used"  # likewise
BATCH_SIZE: Final = "data.batch_size.used"  # of data.batch_size=auto, as memory decided
ACCUMULATED: Final = "trainer.accumulate_grad_batches.used"  # likewise
LR: Final = "optimizer.lr.used"  # of optimizer.lr_scaling
TEACHER: Final = "method.teacher.digest"  # of the weights of method.teacher
WEIGHTS: Final = "model.pretrained_digest"  # of the content of the file model.pretrained_path
TRAIN: Final = "data.digest.train"

# The fact that a key is decided by, and the key's default.
FOLLOWS: Final[Mapping[str, tuple[str, Any]]] = {
    "data.geometry": (GEOMETRY, "auto"),
    "model.img_size": (INPUT, None),
    "model.in_chans": (INPUT, None),
    "data.splits": (TRAIN, "auto"),
    "data.bits": (GEOMETRY, "auto"),  # with RANGE; older runs log neither
    "data.range": (GEOMETRY, None),
    "tuning.aim": (AIM, "auto"),
}


def as_decided(found: Mapping[str, Any], facts: Mapping[str, str]) -> dict[str, Any]:
    """The leaves of a config with what its run decided.

    Args:
        found: by dotted key.
        facts: parameters that the run found out.
    """
    values = with_class_weights(found, facts)
    for key, (fact, default) in FOLLOWS.items():
        if fact in facts:
            _put(values, key, default)
    if RANGE in facts:
        values[RANGE] = facts[RANGE]
    if FRAME_OF_AUTO in facts and facts.get(FRAME) == facts[FRAME_OF_AUTO]:
        values.pop("augment.frame_size", None)  # as where it is auto
    if WEIGHTS in facts:
        values.pop("model.pretrained_path", None)
    if TEACHER in facts:
        values.pop("method.teacher", None)
    if PRECISION in facts:
        values["trainer.precision"] = facts[PRECISION]
    if BATCH_SIZE in facts:  # as a run to which these numbers were given
        values["data.batch_size"] = int(facts[BATCH_SIZE])
        values["trainer.accumulate_grad_batches"] = int(facts[ACCUMULATED])
        values.pop("data.effective_batch_size", None)
    if LR in facts:
        values["optimizer.lr"] = float(facts[LR])
        for key in ("optimizer.lr_scaling", "optimizer.lr_base_size"):
            values.pop(key, None)
    return values


def with_class_weights(found: Mapping[str, Any], facts: Mapping[str, str]) -> dict[str, Any]:
    """The leaves of a config with the class weights that `auto`, or a list, came to."""
    values = dict(found)
    if CLASS_WEIGHTS in facts:
        used = facts[CLASS_WEIGHTS]
        _put(values, "loss.class_weights", None if used == "none" else used)
    return values


def _put(values: dict[str, Any], key: str, default: Any) -> None:
    """Put a default in place of the value of a key, or of all that are below it."""
    there = [each for each in values if each == key or each.startswith(f"{key}.")]
    for each in there:
        del values[each]
    if there:
        values[key] = default
