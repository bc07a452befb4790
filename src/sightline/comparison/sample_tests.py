"""Two runs tested on the samples that both were evaluated on."""

from sightline.comparison.hypothesis_tests import (
    PairedResult,
    check_groups,
    mcnemar,
    paired_bootstrap,
)
from sightline.comparison.stored_values import StoredValues


def compare_two_runs(stored: StoredValues, first: str, second: str) -> PairedResult:
    """McNemar's test where the metric is the share of samples that are decided correctly, else a
    paired bootstrap; of groups of samples where they belong together.

    Args:
        stored: the metric of both runs.
        first, second: their ids.

    Raises:
        UserError: one of them has no value, or its samples do not allow a test.
    """
    stored.check((first, second))
    if stored.right:
        return mcnemar(stored.right[first], stored.right[second], stored.codes)
    check_groups(stored.units)
    difference = stored.values[first] - stored.values[second]
    values = (stored.resampled[first], stored.resampled[second])
    return paired_bootstrap(difference, *values, 0 if stored.codes is None else stored.units)
