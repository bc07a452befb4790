"""Checks that a network takes the sizes of a schedule, before it is trained."""

from sightline.data.loading.size_schedule import KEY, SizeSchedule
from sightline.errors import UserError
from sightline.models.classifier import Classifier
from sightline.models.fitting_size import next_size, previous_size, steps_of
from sightline.models.input_check import InputCheck, check_input
from sightline.types import ImgSize, as_img_size, size_words


def check_sizes(schedule: SizeSchedule | None, classifier: Classifier) -> None:
    """Check each size of the schedule on the network.

    Raises:
        UserError: it cannot take one, or does not see all of its pixels; names the nearest sizes.
    """
    network, in_chans = classifier.network, classifier.preprocess.in_chans

    def check(size: ImgSize) -> InputCheck:
        return check_input(network, in_chans, size)

    for _, size in schedule.steps if schedule is not None else ():
        wanted = as_img_size(size)
        found = check(wanted)
        if found.passed:
            continue
        steps = steps_of(network)
        near = [each.size for each in (previous_size(wanted, steps, check),
                                       next_size(wanted, steps, check)) if each]  # fmt: skip
        nearest = f" The nearest sizes: {' or '.join(map(size_words, near))}." if near else ""
        raise UserError(
            f"{KEY}: {type(network).__name__} cannot train on {size_words(wanted)} pixels: "
            f"{found.error or 'it would not see all of them'}.{nearest}"
        )
