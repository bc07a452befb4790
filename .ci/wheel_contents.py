"""What a wheel must hold, and what it must not: `python wheel_contents.py FILE.whl`."""

import re
import sys
import zipfile
from pathlib import Path

NEEDED = (
    r"sightline/py\.typed",
    r"sightline/conf/train\.yaml",
    r"sightline/conf/experiment/digits_cnn\.yaml",
    r"hydra_plugins/.*\.py",
    r"sightline-[^/]+\.dist-info/licenses/LICENSE",
    r"sightline-[^/]+\.dist-info/entry_points\.txt",
)
REFUSED = r"^(tests|benchmarks|docs|runs|sweeps|mlruns)/|__pycache__|\.(pyc|db|ckpt)$"
OTHERS = re.compile(rb"/(?:home|root|work|tmp)/[a-z]+/")  # a path of the machine that built it
MAX_MIB = 5
# Parts of others, whose licences go with them: a folder or file, and its licence beside it.
VENDORED = re.compile(r"(^|/)vendor(ed)?/")


def problems(wheel: Path) -> list[str]:
    """A sentence for each thing that is wrong; none where the wheel is as it should be."""
    found = []
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for pattern in NEEDED:
            if not any(re.fullmatch(pattern, name) for name in names):
                found.append(f"{pattern} is missing")
        found += [f"{name} does not belong there" for name in names if re.search(REFUSED, name)]
        for name in names:
            if name.endswith((".py", ".yaml")) and OTHERS.search(archive.read(name)):
                found.append(f"{name} names a folder of some machine")
        vendored = {name.rpartition("/")[0] for name in names if VENDORED.search(name)}
        found += [
            f"{folder}/ has no licence"
            for folder in sorted(vendored)
            if not any(re.match(rf"{re.escape(folder)}/.*LICEN[CS]E", name) for name in names)
        ]
    size = wheel.stat().st_size / 2**20
    if size > MAX_MIB:
        found.append(f"it has {size:.1f} MiB, expected at most {MAX_MIB}")
    return found


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1]))
    print("\n".join(wrong) or f"{Path(sys.argv[1]).name}: contents as they should be")
    sys.exit(bool(wrong))
