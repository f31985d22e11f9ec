"""Index folders of radiographs without reading the images, and divide them into splits."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.search import holds_radiographs, list_folder, some_names
from xbdcnn.data.sample import MANIFEST
from xbdcnn.paper import SPLIT_RATIO

SPLITS = ("train", "val", "test", "table2")
"""The three sets of the paper, and the ten radiographs of its Table II."""

_IMAGE_FOLDERS = ("images*", "images*/images*")
"""Patterns of the subfolders with images: images, images_001/images, images-224/images-224."""

_NIH_NAME = re.compile(r"(\d{8})_\d{3}")


def index_folder(root: str | Path) -> pd.DataFrame:
    """List the radiographs of a folder without reading them.

    Three layouts are recognised: the fetched sample (`manifest.csv`); the NIH data set
    (`Data_Entry_2017*.csv`); and images without a table, where a name like 00000013_005.png
    contains the patient number and any other file counts as a separate patient. The images of a
    table are in the folder itself or in its subfolders images, images_001, images-224,
    images_001/images ... Without a table they are in images, else in the folder itself, else in
    all of these subfolders, and they are recognised as by `xbdcnn denoise`, see
    `data.files.search`.

    Returns:
        Columns path, image (file name), patient_id and split (one of `SPLITS`, or "" if the
        layout has none), all text, sorted by image. Files that are listed in a table but absent,
        and links whose file is absent, are omitted, and one warning states their number.

    Raises:
        XbdcnnError: the folder does not exist or has no image, its table is invalid, or an image is
            in two folders.
    """
    root = Path(root)
    if not root.is_dir():
        raise XbdcnnError(f"{root}: no such folder; check the path or run 'xbdcnn fetch-sample'")
    tables = sorted(root.glob("Data_Entry_2017*.csv"))
    if (root / MANIFEST).is_file():
        listed = _manifest_index(root / MANIFEST)
    elif tables:
        listed = _nih_index(root, tables[-1])
    else:
        listed = _index_without_table(root)
    index = _present_only(root, listed)
    if index.empty:
        raise XbdcnnError(_nothing_found(root))
    return index.sort_values("image", ignore_index=True)[["path", "image", "patient_id", "split"]]


def _read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
        return table.loc[:, list(columns) + [c for c in table if c == "split"]]
    except (KeyError, ValueError) as error:
        raise XbdcnnError(f"{path}: needs the columns {', '.join(columns)}") from error


def _manifest_index(manifest: Path) -> pd.DataFrame:
    table = _read_table(manifest, ["image", "patient_id"])
    if "split" not in table:
        table["split"] = ""
    for name in table["image"]:
        if not re.fullmatch(r"[^/\\:\0]+", name) or name in (".", ".."):
            raise XbdcnnError(f"{manifest}: {name!r} is not a plain file name; correct the entry")
    unknown = set(table["split"]) - {*SPLITS, ""}
    if unknown:
        raise XbdcnnError(f"{manifest}: split {min(unknown)!r}; use {', '.join(SPLITS)}")
    if table["image"].duplicated().any():
        raise XbdcnnError(f"{manifest}: lists an image twice; remove the repeated row")
    return table.assign(path=_paths_of(table["image"], manifest.parent))


def _nih_index(root: Path, table_path: Path) -> pd.DataFrame:
    table = _read_table(table_path, ["Image Index", "Patient ID"])
    return pd.DataFrame(
        {
            "path": _paths_of(table["Image Index"], root),
            "image": table["Image Index"],
            "patient_id": table["Patient ID"].str.zfill(8),
            "split": "",
        }
    ).drop_duplicates("image")


def _index_without_table(root: Path) -> pd.DataFrame:
    files = _radiographs_of(root)
    matches = [_NIH_NAME.fullmatch(Path(name).stem) for name in files]
    patients = [m[1] if m else name for m, name in zip(matches, files, strict=True)]
    # `exists` is false for a link whose file is absent.
    paths = [path if os.path.exists(path) else "" for path in files.values()]
    return pd.DataFrame(
        {"path": paths, "image": files.keys(), "patient_id": patients, "split": ""}, dtype=str
    )


def _radiographs_of(root: Path) -> dict[str, str]:
    """Return the paths of the radiographs of a folder without a table, by file name."""
    own = root / "images" if (root / "images").is_dir() else root
    files = list_folder(own).radiographs or [
        file for folder in _image_folders(root) for file in list_folder(folder).radiographs
    ]
    return _by_name((file.name, str(file)) for file in files)


def _image_folders(root: Path) -> list[Path]:
    """Return the folder itself and its subfolders for images."""
    found = [path for pattern in _IMAGE_FOLDERS for path in root.glob(pattern)]
    return [root, *sorted(path for path in found if path.is_dir())]


def _paths_of(names: Iterable[str], root: Path) -> list[str]:
    """Return the path of each listed image, "" if it is absent."""
    listed = set(names)
    files = [item for folder in _image_folders(root) for item in _files_in(folder).items()]
    paths = _by_name(item for item in files if item[0] in listed)
    return [paths.get(name, "") for name in names]


def _by_name(files: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return paths by file name; XbdcnnError if one name is in two folders."""
    paths: dict[str, str] = {}
    for name, path in files:
        if paths.setdefault(name, path) != path:
            raise XbdcnnError(f"{path}: another image is {paths[name]}; remove or rename one")
    return paths


def _nothing_found(root: Path) -> str:
    """Return the message for a folder without radiographs, which names those below it."""
    below = [path for path in list_folder(root).folders if holds_radiographs(path)]
    if below:
        return (
            f"{root}: no radiograph found in it, but in its subfolders ({some_names(below)}); "
            "name one of them, or put all files into one folder images"
        )
    return f"{root}: no radiograph found; expected images/, images_001/images/ ..."


def _files_in(folder: Path) -> dict[str, str]:
    """Return the paths of a folder's files by name, with one directory scan."""
    with os.scandir(folder) as entries:
        return {entry.name: entry.path for entry in entries if entry.is_file()}


def _present_only(root: Path, listed: pd.DataFrame) -> pd.DataFrame:
    present = np.array(listed["path"] != "", bool)
    if not present.all():
        missing = len(listed) - int(present.sum())
        warnings.warn(
            f"{root}: {missing} of {len(listed)} listed images are absent and omitted",
            stacklevel=3,
        )
    return listed[present]


def split_index(
    index: pd.DataFrame,
    level: Literal["patient", "image", "patch"] = "patient",
    ratios: tuple[float, float, float] = SPLIT_RATIO,
    seed: int = 0,
    patches_per_image: int = 32,
) -> pd.DataFrame:
    """Divide an index into train, val and test (Sec. III-A: 7 : 2 : 1).

    The level is the unit that is assigned to a split: "patient" keeps all images of a patient in
    one split; "image" may separate the images of a patient; "patch", the procedure of the paper,
    also separates the patches of an image, so that test and training patches share images.

    Args:
        index: columns image and patient_id, in any order.
        level: unit that is assigned to a split.
        ratios: shares of train, val and test, >= 0; each positive one gets at least one unit.
        seed: the same seed and the same images give the same splits.
        patches_per_image: for level "patch", the number of rows per image.

    Returns:
        A copy sorted by image with the column split; at level "patch" one row per patch, with
        the number of the patch in column patch.

    Raises:
        XbdcnnError: the level is unknown, the ratios are invalid, or there are fewer units than
            splits.
    """
    rows = index.sort_values("image", ignore_index=True)
    if level == "patch":
        rows = rows.loc[rows.index.repeat(patches_per_image)].reset_index(drop=True)
        rows["patch"] = np.arange(len(rows)) % patches_per_image
        return rows.assign(split=_random_splits(len(rows), level, ratios, seed))
    if level not in ("patient", "image"):
        raise XbdcnnError(f"level {level!r}: choose patient, image or patch")
    unit, names = pd.factorize(rows["patient_id" if level == "patient" else "image"], sort=True)
    return rows.assign(split=_random_splits(len(names), level, ratios, seed)[unit])


def _random_splits(
    units: int, level: str, ratios: Sequence[float], seed: int
) -> NDArray[np.object_]:
    """Return one split name per unit, in random order."""
    share = np.asarray(ratios, float)
    if share.shape != (3,) or not np.isfinite(share).all() or share.min() < 0 or not share.any():
        raise XbdcnnError(f"ratios {tuple(ratios)}: give three numbers >= 0, not all of them 0")
    if units < np.count_nonzero(share):
        raise XbdcnnError(f"{units} {level}(s) cannot be split by {tuple(ratios)}; add images")
    edges = np.rint(np.cumsum(share) / share.sum() * units).astype(int)
    counts = np.diff(edges, prepend=0)
    for empty in np.flatnonzero((counts == 0) & (share > 0)):
        counts[counts.argmax()] -= 1
        counts[empty] += 1
    return np.random.default_rng(seed).permutation(np.repeat(np.array(SPLITS[:3], object), counts))
