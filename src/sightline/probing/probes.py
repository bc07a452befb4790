"""The probes by name."""

from collections.abc import Mapping
from types import MappingProxyType

from sightline.probing.fitted import Probe
from sightline.probing.linear import fit_linear
from sightline.probing.logistic import fit_logistic
from sightline.probing.nearest_neighbours import fit_neighbours

PROBES: Mapping[str, Probe] = MappingProxyType(
    {"knn": fit_neighbours, "logistic": fit_logistic, "linear": fit_linear}
)
