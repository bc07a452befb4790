"""Loading of a model from its checkpoint alone: weights, classes, preprocessing, label mode."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ValidationError

from sightline import __version__
from sightline.config.components import build
from sightline.config.stored import stored_config, trusted_plugins
from sightline.config.targets import locate
from sightline.config.validation import Node
from sightline.errors import UserError
from sightline.inference.device import weights_type
from sightline.inference.model import LoadedModel
from sightline.label_modes.base import LabelMode
from sightline.metrics.tuning import Tuning
from sightline.models.build import rebuild_classifier
from sightline.models.lora import merged
from sightline.models.weight_file import read_weight_file
from sightline.types import PreprocessSpec

if TYPE_CHECKING:
    from torch import nn

PREFIX = "classifier."


class Identity(BaseModel):
    """Description of a model that a checkpoint holds beside its weights."""

    version: str
    class_names: list[str]
    preprocess: dict[str, Any]
    config: dict[str, Any]
    tuning: dict[str, Any] = {}
    precision: str | None = None  # as its device decided; the config's, where it was saved before


def load(
    run: str | Path, uri: str | None = None, plugins: Sequence[str] = (),
    model: "nn.Module | None" = None,
) -> LoadedModel:  # fmt: skip
    """The model of a run's best checkpoint, or of a checkpoint file, on the CPU.

    Only plain containers and tensors are unpickled. Pretrained weights are never requested. A
    checkpoint file needs neither a tracking store nor the network.

    Args:
        run: a run's id or its first characters, `runs:/ID`, its folder or name, `latest`,
            `best:val/accuracy`, `models:/NAME@ALIAS`; or a checkpoint file.
        uri: of the tracking store; None: MLFLOW_TRACKING_URI, or the project's own.
        plugins: packages that may build the model, beside Sightline's and torch.nn; those in the
            variable SIGHTLINE_PLUGINS, separated by commas, are added.
        model: the network, for a run of `sightline.train(model=...)`: the weights are loaded
            into it.

    Raises:
        UserError: no such run or file, or not a checkpoint that this version can load.
    """
    path = Path(run).expanduser()
    if not path.is_file():
        from sightline.tracking.mlflow.stored_run import find_checkpoint_file

        path, _ = find_checkpoint_file(str(run), uri)
    return load_checkpoint(path, plugins, model)


def load_checkpoint(
    path: Path, plugins: Sequence[str] = (), network: "nn.Module | None" = None
) -> LoadedModel:
    """The model of a checkpoint file; see `load`."""
    state = read_checkpoint(path)
    identity = state["sightline"]
    config = identity.config
    allowed = trusted_plugins(plugins)
    try:
        # Names are stored in the order of the outputs.
        names = tuple(identity.class_names)
        kind = locate(config["label_mode"], "label_mode", allowed)
        assert issubclass(kind, LabelMode)
        node: Node = kind.stored_arguments(names, dict(config["label_mode"]))
        label_mode = build(node, "label_mode", allowed, {"class_names": names})
        assert isinstance(label_mode, LabelMode)
        preprocess = PreprocessSpec.from_dict(identity.preprocess)
        tuning = Tuning.from_dict(identity.tuning) if identity.tuning else Tuning()
        classifier = rebuild_classifier(
            config["model"], preprocess, label_mode.num_outputs, allowed, network
        )
        precision = identity.precision or str(config["trainer"].get("precision", "32-true"))
        batch_size = int(config["data"].get("batch_size", 64))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (KeyError, TypeError, AttributeError, ValueError, AssertionError) as error:
        raise UserError(
            f"{path} was written by Sightline {identity.version}, and this is {__version__}, which "
            f"cannot rebuild its model ({type(error).__name__}: {error})."
        ) from error
    classifier.to(weights_type(precision))
    weights = merged({
        key.removeprefix(PREFIX): value
        for key, value in state["state_dict"].items()
        if key.startswith(PREFIX)
    })  # fmt: skip
    try:
        classifier.load_state_dict(weights)
    except RuntimeError as error:
        problems = [line.strip() for line in str(error).splitlines()[1:]]
        raise UserError(
            f"{path}: the weights do not fit the model of {len(names)} classes that it describes "
            f"(written by Sightline {identity.version}): {' '.join(problems[:2])}"
        ) from error
    return LoadedModel(classifier.eval(), label_mode, preprocess, tuning, precision, batch_size)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's `state_dict`, and its checked Identity under `sightline`.

    Raises:
        UserError: it holds a pickle, is damaged, or belongs to another program or a newer version.
    """
    state = read_weight_file(path)
    if not isinstance(state, dict) or "sightline" not in state or "state_dict" not in state:
        raise UserError(f"{path} is a checkpoint, but not one of Sightline's.")
    values = state["sightline"] if isinstance(state["sightline"], dict) else {}
    try:
        identity = Identity.model_validate(values)
    except ValidationError as error:
        fields = ", ".join(dict.fromkeys(str(problem["loc"][0]) for problem in error.errors()))
        raise UserError(
            f"{path} has no {fields} that Sightline {__version__} understands: it was written by "
            "another version, or changed since."
        ) from error
    try:
        newer = Version(identity.version) > Version(__version__)
    except InvalidVersion as error:
        raise UserError(f"{path}: {identity.version!r} is no version of Sightline.") from error
    if newer:
        raise UserError(
            f"{path} was written by Sightline {identity.version}, and this is {__version__}; "
            "install that version, or a later one."
        )
    identity.config = stored_config(identity.config, path)
    return {"state_dict": state["state_dict"], "sightline": identity}
