"""The label mode of a table that a run stored."""

from sightline.errors import UserError, did_you_mean
from sightline.label_modes.base import LabelMode
from sightline.label_modes.binary import Binary
from sightline.label_modes.multiclass import Multiclass
from sightline.label_modes.multilabel import Multilabel
from sightline.predictions import Predictions


def label_mode_of(table: Predictions) -> LabelMode:
    """The label mode over the table's classes; of binary ones the last is the positive.

    Raises:
        UserError: it is none of Sightline's own.
    """
    names = table.class_names
    made = {
        Binary.name: lambda: Binary(names, positive_class=names[-1]),
        Multiclass.name: lambda: Multiclass(names),
        Multilabel.name: lambda: Multilabel(names),
    }
    if table.label_mode not in made:
        raise UserError(
            f"A prediction table of label_mode={table.label_mode} cannot be measured here."
            f"{did_you_mean(table.label_mode, made)}"
        )
    mode: LabelMode = made[table.label_mode]()
    return mode
