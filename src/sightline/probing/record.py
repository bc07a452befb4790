"""A fitted probe with all that it was fitted on, and its description."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sightline.config.probe_names import Pooling, ProbeName
from sightline.probing.backbone import Backbone
from sightline.probing.data import ProbeData
from sightline.probing.extraction import SplitFeatures
from sightline.probing.few_shot import FewShot
from sightline.probing.fitted import FittedProbe
from sightline.probing.judge import Judge


@dataclass(frozen=True)
class ProbeRecord:
    """A fitted probe, and what it was fitted on.

    Attributes:
        name: of the probe.
        pooling: of the features.
        fitted: on train, its settings chosen on val.
        few: fits on few samples.
        judge: by which settings were chosen.
        backbone: frozen.
        data: its splits and labels.
        found: features of each split.
        facts: what the numbers depend on, beside the seed.
        seconds: of processor time that fitting took.
    """

    name: ProbeName
    pooling: Pooling
    fitted: FittedProbe
    few: tuple[FewShot, ...]
    judge: Judge
    backbone: Backbone
    data: ProbeData
    found: SplitFeatures
    facts: Mapping[str, Any]
    seconds: float

    @property
    def chosen(self) -> str:
        """The settings in words."""
        return ", ".join(f"{name}={value:g}" for name, value in self.fitted.chosen.items())

    def describe(self, reached: Mapping[str, Any]) -> str:
        """One line for the terminal."""
        metric = self.judge.metric.name
        values = [f"{split} {metric} {found[metric]:.4f}"
                  for split, found in reached["metrics"].items() if metric in found]  # fmt: skip
        edge = "".join(f"; {name} is at the end of what was tried" for name in self.fitted.at_edge)
        return f"{self.name:9} {self.chosen}: {', '.join(values)}{edge}"


def facts_of(record: ProbeRecord) -> dict[str, str]:
    """The probe, the backbone and the data, in a line each, for the note and the report."""
    found, backbone, data = record.found, record.backbone, record.data
    counts = ", ".join(f"{name} {len(split):,}" for name, split in found.splits.items())
    width = next(iter(found.labelled.values())).features.shape[1]
    spec = backbone.classifier.preprocess
    return {
        "probe": f"{record.name} on frozen features, fitted on train; {record.chosen} by "
        f"{record.judge.metric.name} on val",
        "backbone": f"{backbone.name}, {backbone.parameters:,} parameters, input "
        f"{'×'.join(map(str, spec.input))}, {width:,} features ({record.pooling}), "
        f"{found.images_per_s:,.0f} images/s",
        "data": f"{data.source.name} ({data.source.location}): {counts}",
        "labels": data.mode.describe(),
    }
