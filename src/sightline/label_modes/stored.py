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
    kinds: dict[str, type[LabelMode]] = {
        kind.name: kind for kind in (Binary, Multiclass, Multilabel)
    }
    if table.label_mode not in kinds:
        raise UserError(
            f"A prediction table of label_mode={table.label_mode} cannot be measured here."
            f"{did_you_mean(table.label_mode, kinds)}"
        )
    kind = kinds[table.label_mode]
    return kind(names, **kind.stored_arguments(names, {}))
