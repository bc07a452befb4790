"""The config of a run that is compared, and the key that runs of one config share."""

from collections.abc import Iterable, Mapping
from typing import Any

from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.config_columns import DIGESTS, IMPORTED, NAME
from sightline.config.decided import (
    AIM,
    CLASS_WEIGHTS,
    FRAME_OF_AUTO,
    TRAIN,
    with_class_weights,
)
from sightline.config.influence import (
    BATCHES,
    FORM,
    IMAGES,
    OF_A_FOLD,
    POOL,
    TRAIN_IMAGES,
    WORLD_SIZE,
    group_digest,
    has_influence,
    influences,
    leaves,
)
from sightline.runs.imported import is_imported
from sightline.tracking.mlflow.tags import BACKBONE, CHOSEN, GROUP, GROUP_DIGEST

# Parameters that are no part of the config: facts found at run time, and a name made of the others.
NOT_CONFIG = (
    GROUP, "data.cache.used", "data.skipped", "data.digest.split", "data.classes", AIM,
    CLASS_WEIGHTS, FRAME_OF_AUTO, CHOSEN, BACKBONE, TRAIN_IMAGES, POOL,
)  # fmt: skip
LISTS = ("augment.transforms", "augment.batch_transforms")


def knows_its_group(params: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    """Whether a run's parameters are those that its digest was made of.

    They are not where it was logged before there were digests, or resumed with other values, which
    parameters in MLflow cannot take up.
    """
    digest = tags.get(GROUP_DIGEST)
    return digest is not None and params.get(GROUP, "").endswith(f"#{digest[:8]}")


def with_stored_config(run: ComparedRun, config: Mapping[str, Any] | None) -> ComparedRun:
    """A run with the parameters and the digest that its stored config gives.

    Args:
        run: one that does not know its group.
        config: as it was resolved; None where it is not stored: parameters alone then tell the
            group, which hold no lists of components.
    """
    found = {key: str(value) for key, value in leaves(config or {}) if value not in (None, {})}
    params = _with_decisions({**run.params, **found})
    tags = dict(run.tags)
    if config is not None:
        tags.setdefault(GROUP_DIGEST, group_digest(influences(config, params)))
    return ComparedRun(run.run_id, run.name, run.status, params, run.metrics, tags)


def config_of(run: ComparedRun) -> dict[str, str]:
    """The parameters that influence a run's results, beside seed, fold and draw.

    The digests of its data count, so that runs on data that changed are not averaged; those that
    differ by fold do not. Where a part of train is drawn, what it is drawn from counts.
    """
    if is_imported(run.tags):
        name = run.params.get(NAME, run.name)
        return {IMPORTED: "true", NAME: name, f"{NAME}.name": name} | {
            key: value for key, value in run.params.items() if key in DIGESTS
        }
    ignored = {*NOT_CONFIG, *(OF_A_FOLD if "data.folds" in run.params else ())}
    found = {
        key: value
        for key, value in run.params.items()
        if has_influence(key) and key not in ignored
    }  # fmt: skip
    if POOL in run.params and TRAIN in found:
        found[TRAIN] = run.params[POOL]
    return with_class_weights(found, run.params)


def differ_in_loss(runs: Iterable[ComparedRun]) -> bool:
    """Whether runs were trained with different losses, whose values do not compare."""
    found = set()
    for run in runs:
        config = config_of(run)
        found.add(frozenset(key for key in config.items() if key[0].partition(".")[0] == "loss"))
    return len(found - {frozenset()}) > 1  # an empty one is not known


def group_key(run: ComparedRun) -> str:
    """What runs of one config share: the digest, or one of their parameters where there is none."""
    return run.tags.get(GROUP_DIGEST) or group_digest(config_of(run))


def _with_decisions(params: dict[str, str]) -> dict[str, str]:
    """Parameters with what a run of before decided but did not log, from those it did."""
    found = dict(params)
    lists = {key: value for key, value in params.items() if key.startswith(LISTS)}
    augments = any(value != "[]" for value in lists.values())
    if not lists:
        augments = params.get("augment", "none") != "none"
    if augments and FORM not in params and "data.cache.used" in params:
        found[FORM] = BATCHES if params["data.cache.used"] == "device" else IMAGES
    devices, nodes = params.get("trainer.devices"), params.get("trainer.num_nodes", "1")
    if WORLD_SIZE not in params and devices is not None:
        count = str(devices.count(",") + 1) if devices.startswith("[") else devices
        whole = count.isdigit() and nodes.isdigit()
        found[WORLD_SIZE] = str(int(count) * int(nodes)) if whole else f"{count} x {nodes}"
    return found
