"""The model as MLflow loads and serves it: pictures as bytes in, a probability a class out.

MLflow runs this file when the model is loaded ("models from code"); the checkpoint beside it holds
everything else, a plugin's model included, as long as its package is installed.
"""

import base64
import io
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from PIL import Image

import sightline


class SightlinePyfunc(PythonModel):
    """A column `image` of encoded pictures (bytes or base64 text) to a column for each class."""

    def load_context(self, context: PythonModelContext) -> None:
        """Rebuild the model from its checkpoint."""
        self.model = sightline.load(context.artifacts["checkpoint"])

    def predict(  # type: ignore[override]  # MLflow takes it without a context too
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Probabilities before calibration, one row a picture."""
        pictures = [_open(value) for value in model_input["image"]]
        probs = self.model.probs(pictures)
        return pd.DataFrame(probs, columns=list(self.model.class_names))


def _open(value: bytes | str) -> Image.Image:
    data = base64.b64decode(value) if isinstance(value, str) else value
    return Image.open(io.BytesIO(data))


set_model(SightlinePyfunc())
