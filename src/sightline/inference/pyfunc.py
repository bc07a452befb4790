"""The model for MLflow (pyfunc): images in, decisions and probabilities out.

MLflow runs this file when the model is loaded ("models from code"). Beside it lie the checkpoint,
which holds everything else, and Sightline's own code, in a zip file.
"""

import base64
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import INVALID_PARAMETER_VALUE, MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

CODE = Path(__file__).parent / "code" / "sightline.zip"  # of a logged model
if CODE.is_file():
    sys.path.insert(0, str(CODE))

from sightline.errors import UserError  # noqa: E402
from sightline.types import PixelSpec  # noqa: E402


class SightlinePyfunc(PythonModel):
    """A column `image` of images to `pred` and a column `prob_CLASS` for each class.

    An image is the bytes of a file, the same as base64 text, or an array (H, W) or (H, W, C), also
    as nested lists: of whole numbers from 0 to 255, or of values as the training images had them.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Rebuild the model from its checkpoint."""
        # Imported here: MLflow also runs this file to save it, in a process that needs no torch.
        from sightline.inference.device import choose_device
        from sightline.inference.load import load

        plugins = (context.model_config or {}).get("plugins", [])
        self.model = load(context.artifacts["checkpoint"], plugins=plugins).to(choose_device())

    def predict(  # type: ignore[override]  # MLflow takes it without a context too
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Decisions and probabilities, one row for each image.

        Args:
            model_input: with the column `image`.
            params: calibrated=False ignores the run's calibration and decision rule.
        """
        pixels = self.model.preprocess.pixels
        calibrated = bool((params or {}).get("calibrated", True))
        if "image" not in model_input or model_input.empty:
            raise MlflowException("Expected rows with the column 'image'.", INVALID_PARAMETER_VALUE)
        try:
            images = [_image(value, pixels) for value in model_input["image"]]
            logits = self.model.logits_of(images)
        except UserError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error
        return self.model.decisions(calibrated).rows_of_logits(logits).to_pandas()


def _image(value: Any, pixels: PixelSpec) -> bytes | np.ndarray:
    """What `LoadedModel.prepare` takes; lists hold values like the training images' own."""
    if isinstance(value, str):
        try:
            return base64.b64decode(value.rpartition("base64,")[2], validate=True)
        except ValueError as error:
            raise UserError(f"An image as text must be base64: {error}.") from error
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return value
    try:
        array = np.array(value.tolist() if isinstance(value, np.ndarray) else value)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UserError(f"An image as an array has rows of one length: {error}.") from error
    if pixels.low is not None and array.dtype.kind in "iuf":
        return array
    if array.dtype.kind not in "iu" or array.min(initial=0) < 0 or array.max(initial=0) > 255:
        raise UserError(
            f"An image as an array holds whole numbers from 0 to 255, but this one is of type "
            f"{array.dtype}."
        )
    return array.astype(np.uint8)


set_model(SightlinePyfunc())
