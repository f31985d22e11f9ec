"""Sources of radiographs with their splits, and the choice of the source to use."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.data.builtin import builtin_fields, builtin_path
from xbdcnn.data.files.radiograph import load_radiograph
from xbdcnn.data.folders import SPLITS, index_folder, split_index
from xbdcnn.data.sample import MANIFEST, REGISTRY, same_csv_text, sample_folder

if TYPE_CHECKING:
    import pandas as pd

BUILTIN = "builtin"
"""Name of the built-in radiograph where a folder of radiographs is expected."""

TABLE_2_COUNT = 10
"""Radiographs in the strong-noise test (Sec. III-B)."""


@dataclass(frozen=True, eq=False)
class Source:
    """A set of radiographs, each assigned to a split.

    The splits of the built-in radiograph are the fields of `BUILTIN_LAYOUT`: 448 x 448 pixels,
    disjoint, at the resolution of the detector. They show one patient, so results on them do not
    generalise to other patients.
    """

    name: str
    """Name for captions."""
    index: pd.DataFrame | None = None
    """Columns path, image, patient_id and split; None for the built-in radiograph."""

    @property
    def unit(self) -> str:
        """What `images` returns, for captions: radiographs, or fields of a single radiograph."""
        return "fields of ONE radiograph" if self.index is None else "radiographs"

    def drawn(self, count: int | None, seed: int = 0) -> Source:
        """Return a source of `count` images, drawn at random from all splits.

        The source itself is returned if `count` is None or not smaller than the number of images,
        and for the built-in radiograph.
        """
        if count is None or self.index is None or count >= len(self.index):
            return self
        rows = self.index.sample(count, random_state=np.random.default_rng(seed)).sort_index()
        return Source(f"{self.name}, {count:,} drawn at random", rows.reset_index(drop=True))

    def paths(self, split: str, count: int | None = None) -> list[Path]:
        """Return the files of a split, at most `count`, sorted by name.

        Without a split `table2`, ten images of the test split are drawn with a fixed seed.
        XbdcnnError if the split is empty, or if the source is the built-in radiograph.
        """
        if self.index is None:
            raise XbdcnnError(f"the {self.name} is one file; ask for images() instead of paths()")
        rows = self.index[self.index["split"] == split]
        if split == "table2" and rows.empty:
            test = self.index[self.index["split"] == "test"]
            drawn = min(TABLE_2_COUNT, len(test))
            rows = test.sample(drawn, random_state=np.random.default_rng(0)).sort_index()
        if rows.empty:
            raise XbdcnnError(f"{self.name}: no image in split {split!r}; check the split column")
        return [Path(path) for path in rows["path"][:count]]

    def images(self, split: str, count: int | None = None) -> list[NDArray[np.float32]]:
        """Load the radiographs of a split, at most `count`: each (H, W) float32 in [0, 1].

        Raises:
            XbdcnnError: the split is unknown or empty, or a file cannot be read.
        """
        if split not in SPLITS:
            raise XbdcnnError(f"split {split!r}: choose {', '.join(SPLITS)}")
        if self.index is None:
            return builtin_fields(split)[:count]
        return [load_radiograph(path) for path in self.paths(split, count)]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over names, splits and file sizes of the images and over the manifest.

        For the built-in radiograph it is the SHA-256 of the file. Without a manifest, replacing a
        file by one of the same size is not detected.
        """
        if self.index is None:
            return sha256_of(builtin_path())
        digest = hashlib.sha256()
        for row in self.index.sort_values("image").itertuples():
            digest.update(f"{row.image} {row.split} {os.path.getsize(row.path)}\n".encode())
        # The images are in the folder of the manifest, or one or two folders below it.
        folders = Path(os.path.abspath(self.index["path"].iloc[0])).parents[:3]
        manifests = [path for folder in folders if (path := folder / MANIFEST).is_file()]
        digest.update("".join(sha256_of(path) for path in manifests[:1]).encode())
        return digest.hexdigest()


def find_source(data: str | Path | None = None, seed: int = 0) -> Source:
    """Return the source of radiographs to use.

    The first of these that exists: the folder `data`; the folder in the environment variable
    XBDCNN_DATA; the sample of `fetch_sample` in the user's cache; the built-in radiograph. The
    name "builtin" instead of a folder selects the built-in radiograph. The splits of a folder's
    table are used; a folder without splits is divided by patient, 7 : 2 : 1, with `seed`.

    Raises:
        XbdcnnError: a given folder is missing, has no image, or has an incomplete split column;
            no other source is used in its place.
    """
    named = data or os.environ.get("XBDCNN_DATA")
    if named == BUILTIN:
        return Source("built-in radiograph")
    if named:
        return _folder_source(Path(named), seed)
    folder = sample_folder()
    if (folder / MANIFEST).is_file():
        return _folder_source(folder, seed)
    if folder.exists():
        warnings.warn(
            f"{folder}: incomplete and not used; 'xbdcnn fetch-sample' resumes the download",
            stacklevel=2,
        )
    return Source("built-in radiograph")


def _folder_source(root: Path, seed: int) -> Source:
    index = index_folder(root)
    assigned = index["split"] != ""
    if assigned.any() and not assigned.all():
        raise XbdcnnError(f"{root / MANIFEST}: some rows have no split; fill in all or none")
    return Source(_caption(root), index if assigned.all() else split_index(index, seed=seed))


def _caption(root: Path) -> str:
    """Return the name of a folder's data set, or else of the folder."""
    manifest = root / MANIFEST
    if manifest.is_file() and same_csv_text(manifest, REGISTRY):
        return "ChestX-ray8 sample"
    if not manifest.is_file() and any(root.glob("Data_Entry_2017*.csv")):
        return "ChestX-ray8"
    return root.resolve().name
