"""Loading of a model from its checkpoint alone: weights, classes, preprocessing, label mode."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sightline import __version__
from sightline.config.components import build
from sightline.config.stored import trusted_plugins
from sightline.config.stored_preprocess import stored_preprocess
from sightline.config.targets import locate
from sightline.config.validation import Node
from sightline.errors import UserError, first_line
from sightline.inference.device import weights_type
from sightline.inference.identity import Identity, checked_identity
from sightline.inference.model import LoadedModel
from sightline.io.declared_size import check_fits
from sightline.label_modes.base import LabelMode
from sightline.metrics.tuning import Tuning, check_outputs
from sightline.models.build import rebuild_classifier
from sightline.models.lora import merged
from sightline.models.stored_weights import check_shapes, check_tensors
from sightline.models.weight_file import read_weight_file
from sightline.models.weight_values import check_values

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sightline.models.classifier import Classifier

PREFIX = "classifier."
# What a description that was changed, or another version's, makes of the building.
UNFIT = (KeyError, TypeError, AttributeError, ValueError, AssertionError, RuntimeError, MemoryError)
FLOAT_BYTES = 4  # of a value of an image, as the network takes it


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
        preprocess = stored_preprocess(identity.preprocess)
        check_fits(path, FLOAT_BYTES * math.prod(preprocess.input))
        tuning = Tuning.from_dict(identity.tuning) if identity.tuning else Tuning()
        check_outputs(label_mode, tuning)
        precision = identity.precision or str(config["trainer"].get("precision", "32-true"))
        batch_size = int(config["data"].get("batch_size", 64))
        if batch_size < 1:
            raise ValueError(f"data.batch_size is {batch_size}")

        def build_network() -> "Classifier":
            return rebuild_classifier(
                config["model"], preprocess, label_mode.num_outputs, allowed, network
            )

        classifier = _with_weights(path, identity, build_network, state["state_dict"], precision)
    except UserError as error:
        raise UserError(str(error) if f"{path}" in str(error) else f"{path}: {error}") from error
    except UNFIT as error:
        raise UserError(
            f"{path} was written by Sightline {identity.version}, and this is {__version__}, which "
            f"cannot rebuild its model ({type(error).__name__}: {first_line(error)})."
        ) from error
    return LoadedModel(classifier.eval(), label_mode, preprocess, tuning, precision, batch_size)


def _with_weights(
    path: Path, identity: Identity, build_network: Callable[[], "Classifier"],
    state: dict[str, "Tensor"], precision: str,
) -> "Classifier":  # fmt: skip
    """The network with the checkpoint's weights, which are compared before it takes memory."""
    own = {k.removeprefix(PREFIX): v for k, v in state.items() if k.startswith(PREFIX)}
    problem = None
    try:
        weights = merged(own)
        check_shapes(build_network, weights)
    except ValueError as error:
        problem = str(error)
    if problem is None:
        classifier = build_network().to(weights_type(precision))
        parameters = dict(classifier.named_parameters())
        # A buffer can be a mask of infinities.
        read = {k: v for k, v in weights.items() if k in parameters or bool(v.isnan().any())}
        check_values(read, classifier.state_dict(), str(path))
        try:
            classifier.load_state_dict(weights)
            if identity.channels_last:  # the same kernels as in training
                classifier.network.to(memory_format=torch.channels_last)
            return classifier
        except RuntimeError as error:
            problem = " ".join([line.strip() for line in str(error).splitlines()[1:]][:2])
    raise UserError(
        f"{path}: the weights do not fit the model of {len(identity.class_names)} classes that it "
        f"describes (written by Sightline {identity.version}): {problem}"
    )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's `state_dict`, and its checked Identity under `sightline`.

    Raises:
        UserError: it holds a pickle, is damaged, or belongs to another program or a newer version.
    """
    state = read_weight_file(path)
    if not isinstance(state, dict) or "sightline" not in state or "state_dict" not in state:
        raise UserError(f"{path} is a checkpoint, but not one of Sightline's.")
    identity = checked_identity(state["sightline"], path)
    try:
        return {"state_dict": check_tensors(state["state_dict"]), "sightline": identity}
    except ValueError as error:
        raise UserError(f"{path} is a checkpoint that cannot be used: {error}.") from error
