from __future__ import annotations

import csv

import numpy as np
import pytest
from paths import ROOT

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.data.chests import CHESTS, FOLDER, chest_path, halved, load_chest
from xbdcnn.data.sample import ATTRIBUTION, REGISTRY

with open(REGISTRY, newline="", encoding="utf-8") as stream:
    ROWS = {row["image"]: row for row in csv.DictReader(stream)}


def test_folder_holds_the_listed_files_and_their_attribution_within_its_budget():
    names = {f"{name}.png" for name in CHESTS}
    assert {path.name for path in FOLDER.iterdir()} == names | {"ATTRIBUTION.md"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_500_000


@pytest.mark.parametrize("name", CHESTS)
def test_file_has_the_published_bytes_and_is_a_test_image(name):
    row = ROWS[f"{name}.png"]
    assert sha256_of(chest_path(name)) == row["sha256"]
    assert row["split"] == "table2"
    assert CHESTS[name] == f"{row['view']}, {row['finding_labels'].replace('|', ', ')}"


def test_attribution_describes_every_file_and_meets_the_terms_of_the_provider():
    text = (FOLDER / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for name, description in CHESTS.items():
        view, findings = description.split(", ", 1)
        assert f"| `{name}.png` | {view} | {findings} |" in text
    for statement in (text, ATTRIBUTION, (ROOT / "README.md").read_text(encoding="utf-8")):
        assert "https://nihcc.app.box.com/v/ChestXray-NIHCC" in statement
        assert "10.1109/CVPR.2017.369" in statement
        assert "NIH Clinical Center" in statement


def test_radiographs_differ_and_follow_the_convention():
    images = [load_chest(name) for name in CHESTS]
    assert all(image.shape == (1024, 1024) and image.dtype == np.float32 for image in images)
    assert all(0 <= image.min() < 0.1 and 0.9 < image.max() <= 1 for image in images)
    # Corners beside the neck are darker than the spine.
    assert all(image[:100, :100].mean() < image[600:700, 480:560].mean() for image in images)
    assert len({image.tobytes() for image in images}) == len(CHESTS)


def test_unknown_radiograph_is_an_error_that_lists_the_known():
    with pytest.raises(XbdcnnError, match=r"'1': choose 00001368_000, "):
        load_chest("1")


def test_halved_image_holds_the_means_of_four_pixels():
    image = np.arange(24, dtype=np.float32).reshape(4, 6)
    half = halved(image)
    assert half.shape == (2, 3) and half.dtype == np.float32
    assert half[1, 2] == image[2:, 4:].mean()
    with pytest.raises(XbdcnnError, match="even sides"):
        halved(image[:, :5])
