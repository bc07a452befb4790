"""The best checkpoint as an MLflow model, which loads and serves without Sightline installed."""

import io
import tempfile
import warnings
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, Metric
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import Array
from PIL import Image

from sightline.runs.journal.records import ModelRecord
from sightline.tracking.mlflow.model_code import CODE_FILE, SIGHTLINE, own_code, plugin_code
from sightline.tracking.mlflow.model_words import describe_model, model_params
from sightline.tracking.mlflow.tags import DECISION_RULE, RECORD_MS

# Imports of loading and prediction, besides Sightline's own code, which is shipped.
REQUIREMENTS = (
    "mlflow", "torch", "torchvision", "timm", "torchmetrics", "hydra-core", "pydantic", "numpy",
    "pandas", "pyarrow", "pillow", "rich", "psutil", "packaging", "tifffile",
)  # fmt: skip
MODEL_METRICS = ("val_best/", "test/")  # prefixes of the metrics of the best checkpoint


@dataclass(frozen=True)
class CheckpointModel:
    """A checkpoint that is logged as a model.

    Attributes:
        checkpoint: the file.
        class_names: of the columns of the answer.
        multi_label: whether an image can have any number of labels.
        plugins: packages that the model may be built with.
        record_ms: the time of its record, ms; the same record is not logged twice.
        columns: further ones of the answer, by name: boolean, double or texts.
    """

    checkpoint: Path
    class_names: list[str]
    multi_label: bool
    plugins: list[str]
    record_ms: int
    columns: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: ModelRecord, checkpoint: Path) -> Self:
        """The model of a record, whose checkpoint is this file."""
        own = (record.class_names, record.multi_label, record.plugins, record.time_ms)
        return cls(checkpoint, *own, record.columns)


def log_model(
    client: MlflowClient, uri: str, run_id: str, record: CheckpointModel, register: str | None
) -> None:
    """Log a checkpoint as the model `model` with its run's metrics; once for each record.

    Args:
        client: of the store.
        uri: the store's.
        run_id: the run of the checkpoint.
        record: the checkpoint and the description of its outputs.
        register: the name in the model registry that gets a new version, or None.
    """
    run = client.get_run(run_id)
    experiment_id = run.info.experiment_id
    model = _logged(client, experiment_id, run_id, record)
    if model is None:
        mlflow.set_tracking_uri(uri)
        tags, params = {RECORD_MS: str(record.record_ms)}, model_params(run)
        model = client.create_logged_model(experiment_id, "model", run_id, tags, params)
        _upload(client, run_id, model, record)
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        client.finalize_logged_model(model.model_id, "READY")
    _link_metrics(client, run_id, model.model_id)
    describe_model(client, run_id, model.model_id, uri)
    if register is not None:
        _register(client, run_id, model.model_id, register)


def _logged(
    client: MlflowClient, experiment_id: str, run_id: str, record: CheckpointModel
) -> LoggedModel | None:
    """The model that an earlier sender logged for this record; an incomplete one is removed."""
    wanted = f"source_run_id = '{run_id}'"
    found = client.search_logged_models([experiment_id], filter_string=wanted)
    for model in found:
        if model.tags.get(RECORD_MS) == str(record.record_ms):
            if model.status == "READY":
                return model
            client.delete_logged_model(model.model_id)
    return None


def _upload(client: MlflowClient, run_id: str, model: LoggedModel, record: CheckpointModel) -> None:
    rule = client.get_run(run_id).data.tags.get(DECISION_RULE)  # none in older journals
    requirements, code = plugin_code(record.plugins)
    pinned = [f"{name}=={version(name).partition('+')[0]}" for name in REQUIREMENTS]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Advice about MLflow's own type hints: the signature is given.
        warnings.simplefilter("ignore", UserWarning)
        own = Path(folder) / CODE_FILE
        own.write_bytes(own_code())
        # Not `log_model`, which loads the complete model once to try the example.
        mlflow.pyfunc.save_model(
            f"{folder}/model",
            mlflow_model=Model(
                model.artifact_location, run_id, model_uuid=model.model_id, model_id=model.model_id
            ),
            python_model=str(SIGHTLINE / "inference" / "pyfunc.py"),
            artifacts={"checkpoint": str(record.checkpoint)},
            code_paths=[str(own), *code],
            model_config={"plugins": record.plugins},
            signature=_signature(record),
            metadata={DECISION_RULE: rule} if rule else None,
            input_example=_example(),
            pip_requirements=[*pinned, *requirements],
        )
        client.log_model_artifacts(model.model_id, f"{folder}/model")


def _signature(record: CheckpointModel) -> ModelSignature:
    pred = Array(DataType.string) if record.multi_label else DataType.string
    outputs: list[ColSpec | TensorSpec] = [ColSpec(pred, "pred")]
    outputs += [ColSpec(DataType.float, f"prob_{name}") for name in record.class_names]
    for name, kind in record.columns.items():
        outputs.append(ColSpec(Array(DataType.string) if kind == "texts" else kind, name))
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, "image")]),
        outputs=Schema(outputs),
        params=ParamSchema([ParamSpec("calibrated", DataType.boolean, True)]),
    )


def _example() -> pd.DataFrame:
    """One small image, as the bytes of a PNG file."""
    ramp = np.linspace(0, 255, 32).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.stack([ramp[:, None] + 0 * ramp] * 3, axis=-1)).save(stream, "PNG")
    return pd.DataFrame({"image": [stream.getvalue()]})


def _link_metrics(client: MlflowClient, run_id: str, model_id: str) -> None:
    """Link the metrics of the checkpoint to the model: the same points, so that MLflow does not
    store them twice in the run."""
    # As protobuf, where the last points have their steps and times: without a request for each.
    points = [
        Metric(last.key, last.value, last.timestamp, last.step, model_id=model_id)
        for last in client.get_run(run_id).data.to_proto().metrics
        if last.key.startswith(MODEL_METRICS)
    ]
    if points:
        client.log_batch(run_id, metrics=points)


def _register(client: MlflowClient, run_id: str, model_id: str, name: str) -> None:
    """Make the model a new version of the registered model `name`, once."""
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    versions: Any = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    source = f"models:/{model_id}"
    if all(each.source != source and each.model_id != model_id for each in versions):
        client.create_model_version(name, source, run_id, model_id=model_id)
