"""The files that the pages of the documentation speak of: photographs and tables of labels."""

from __future__ import annotations

from pathlib import Path

from support.images import make_folder


def make_page_data(folder: Path) -> None:
    """photos/, new_photos/, images/ with four tables, and new_animals/."""
    make_folder(folder / "photos", {"cat": 20, "dog": 20}, (16, 12))
    make_folder(folder, {"new_photos": 3}, (16, 12))
    make_folder(folder / "new_animals", {"cat": 4, "dog": 4}, (17, 13))
    make_folder(folder / "images", {"cat": 24, "dog": 24}, (16, 12))
    images = sorted((folder / "images").rglob("*.png"))
    theirs = ["filename,cat,dog"]  # of another program, for `import`
    animals, columns, cells = ["image,label,patient,site"], ["image,cat,small"], ["image,labels"]
    for index, path in enumerate(images):
        name, animal = path.relative_to(folder / "images").as_posix(), path.parent.name
        small, cat = index % 2, (index % 7 + 1) / 8
        theirs.append(f"{name},{cat},{1 - cat}")
        animals.append(f"{name},{animal},p{index // 2},{('north', 'south')[index // 2 % 2]}")
        columns.append(f"{name},{int(animal == 'cat')},{small}")
        cells.append(f"{name},{animal}{';small' if small else ''}")
    for name, lines in (
        ("animals", animals),
        ("columns", columns),
        ("cells", cells),
        ("theirs", theirs),
    ):
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
