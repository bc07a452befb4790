"""The best checkpoint as an MLflow model, which loads and serves without knowing Sightline."""

from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from sightline.label_modes.base import LabelMode
from sightline.tracking.tracker import Tracker

CODE = Path(__file__).parent.parent / "inference" / "pyfunc.py"
REQUIREMENTS = ("sightline", "mlflow", "torch", "torchvision", "pandas")


def log_model(tracker: Tracker, label_mode: LabelMode) -> None:
    """Log `checkpoints/best.ckpt` of the run's folder as the model `model`, linked to the run."""
    columns = [ColSpec(DataType.float, name) for name in label_mode.class_names]
    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, "image")]), outputs=Schema(columns)
    )
    mlflow.set_tracking_uri(tracker.uri)
    Model.log(
        artifact_path=None,
        name="model",
        flavor=mlflow.pyfunc,
        run_id=tracker.run_id,
        python_model=str(CODE),
        artifacts={"checkpoint": str(tracker.folder / "checkpoints" / "best.ckpt")},
        signature=signature,
        pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
    )
