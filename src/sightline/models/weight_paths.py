"""The path of a file of weights."""

from pathlib import Path

from sightline.errors import UserError


def existing_weights(path: str) -> Path:
    """The absolute path of the file of model.pretrained_path.

    Raises:
        UserError: there is none.
    """
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        raise UserError(f"model.pretrained_path={path}: there is no file {file}.")
    return file
