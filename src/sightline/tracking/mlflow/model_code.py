"""Code of a logged model: Sightline's own package, and the plugins that it is built with."""

import importlib.util
import io
import zipfile
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

SIGHTLINE = Path(__file__).parents[2]  # the package
CODE_FILE = "sightline.zip"  # one file: a server takes a request for each. See inference/pyfunc.py


@cache
def own_code() -> bytes:
    """Sightline's package as a zip file, from which Python imports; without its configs."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for path in sorted(SIGHTLINE.rglob("*.py")):
            archive.write(path, path.relative_to(SIGHTLINE.parent))
    return stream.getvalue()


def plugin_code(packages: list[str]) -> tuple[list[str], list[str]]:
    """Requirements for plugins from a package index, and the code of other plugins."""
    requirements, code = [], []
    names = packages_distributions() if packages else {}
    for package in dict.fromkeys(each.partition(".")[0] for each in packages):
        try:
            found = distribution(names.get(package, [package])[0])
        except PackageNotFoundError:
            found = None
        if found is not None and found.read_text("direct_url.json") is None:
            requirements.append(f"{found.name}=={found.version}")
            continue
        spec = importlib.util.find_spec(package)  # of a part of it, this would run its code
        if spec is not None and spec.origin is not None:
            file = Path(spec.origin)
            code.append(str(file.parent if file.name == "__init__.py" else file))
    return requirements, code
