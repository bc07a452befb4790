"""The classes of a teacher, matched with the student's by their names."""

from timm.data import ImageNetInfo, infer_imagenet_subset
from torch import nn

from sightline.errors import UserError
from sightline.label_modes.base import LabelMode

KEY = "method.teacher"


def columns_of_run(
    given: str, names: tuple[str, ...], kind: str, label_mode: LabelMode
) -> tuple[tuple[int, ...] | None, int]:
    """A teacher's columns in the student's order, and the sign of its logits.

    Args:
        given: the teacher, as the config names it.
        names: of its classes.
        kind: its label mode's name.
        label_mode: of the student's outputs.

    Raises:
        UserError: it has other classes, or another label mode.
    """
    own = label_mode.class_names
    if kind != label_mode.name:
        raise UserError(f"{KEY}={given}: its label_mode is {kind}, and here is {label_mode.name}.")
    if sorted(names) != sorted(own):
        new = [name for name in own if name not in names]
        missing = [name for name in names if name not in own]
        raise UserError(
            f"{KEY}={given}: it has other classes than the data. {_listed('It lacks', new)}"
            f"{_listed('The data lacks', missing)}Give a teacher of the same classes, or "
            "method.kind=features, for which they do not matter."
        )
    if names == own:
        return None, 1
    if label_mode.num_outputs == len(own):
        return tuple(names.index(name) for name in own), 1
    return None, -1  # one logit of two classes


def columns_of_imagenet(
    given: str, network: nn.Module, label_mode: LabelMode
) -> tuple[int, ...]:  # fmt: skip
    """The columns of a model of ImageNet's classes, by their ids or their first names.

    Args:
        given: the teacher, as the config names it.
        network: timm's.
        label_mode: of the student's outputs.

    Raises:
        UserError: it is no such model, or lacks one of the student's classes.
    """
    subset = infer_imagenet_subset(network)
    if subset is None or not label_mode.exclusive:
        raise UserError(
            f"{KEY}={given}: the names of its classes are not known, or label_mode="
            f"{label_mode.name} has no such outputs. Train it on this data first and give its run, "
            "or use method.kind=features."
        )
    about = ImageNetInfo(subset)
    ids = {name: number for number, name in enumerate(about.label_names())}
    words = {about.label_name_to_description(name): number for name, number in ids.items()}
    known = {word.partition(",")[0].lower(): number for word, number in words.items()} | ids
    asked = [
        name if name in ids else name.replace("_", " ").lower() for name in label_mode.class_names
    ]
    pairs = zip(label_mode.class_names, asked, strict=True)
    new = [own for own, name in pairs if name not in known]
    if new:
        raise UserError(
            f"{KEY}={given}: it has ImageNet's classes. {_listed('It lacks', new)}Train a teacher "
            "on this data and give its run, or use method.kind=features."
        )
    return tuple(known[name] for name in asked)


def _listed(words: str, names: list[str]) -> str:
    return f"{words} {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}. " if names else ""
