"""The best checkpoint as an MLflow model, which loads and serves without knowing Sightline."""

import os
import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from sightline.label_modes.base import LabelMode
from sightline.tracking.tracker import Tracker

CODE = Path(__file__).parent.parent / "inference" / "pyfunc.py"
REQUIREMENTS = ("sightline", "mlflow", "torch", "torchvision", "pandas")


def log_model(tracker: Tracker, label_mode: LabelMode) -> None:
    """Log `checkpoints/best.ckpt` of the run's folder as the model `model`, linked to the run."""
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.float, name) for name in label_mode.class_names
    ]
    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, "image")]), outputs=Schema(columns)
    )
    mlflow.set_tracking_uri(tracker.uri)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    experiment_id = tracker.client.get_run(tracker.run_id).info.experiment_id
    model = tracker.client.create_logged_model(
        experiment_id, name="model", source_run_id=tracker.run_id
    )
    with warnings.catch_warnings():
        # Advice about its own type hints, and about an input example: the signature is given.
        warnings.simplefilter("ignore", UserWarning)
        Model.log(
            artifact_path=None,
            model_id=model.model_id,
            flavor=mlflow.pyfunc,
            run_id=tracker.run_id,
            python_model=str(CODE),
            artifacts={"checkpoint": str(tracker.folder / "checkpoints" / "best.ckpt")},
            signature=signature,
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
        )
