"""A folder as large as ChestX-ray8: 100,000 small files in its layout; run with -m long."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xbdcnn.data import SPLITS, find_source
from xbdcnn.study.profiles import Profile, get_profile
from xbdcnn.training.named import training_pool

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

MEASURE = r"""
import json, re, sys, time
import pandas
from xbdcnn.data import find_source

def peak():
    # ru_maxrss would include the parent process.
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])

before, started = peak(), time.process_time()
source = find_source(sys.argv[1])
drawn = source.drawn(1000)
source.fingerprint, drawn.fingerprint
found = {"seconds": time.process_time() - started, "bytes": peak() - before}
print(json.dumps(found | {"images": len(source.index)}))
"""


def pictures(count: int = 50, side: int = 32) -> list[bytes]:
    """PNG files of noise, as bytes."""
    files = []
    for seed in range(count):
        stream = io.BytesIO()
        pixels = np.random.default_rng(seed).integers(0, 256, (side, side), "u1")
        Image.fromarray(pixels).save(stream, "PNG")
        files.append(stream.getvalue())
    return files


def nih_folder(root: Path, count: int) -> Path:
    """The NIH's layout: twelve image folders, and a table with about four images per patient."""
    files, lines = pictures(), ["Image Index,Finding Labels,Follow-up #,Patient ID"]
    for folder in range(1, 13):
        (root / f"images_{folder:03d}" / "images").mkdir(parents=True)
    for number in range(count):
        name = f"{number // 4:08d}_{number % 4:03d}.png"
        folder = root / f"images_{1 + number * 12 // count:03d}" / "images"
        (folder / name).write_bytes(files[number % len(files)])
        lines.append(f"{name},No Finding,{number % 4},{number // 4}")
    (root / "Data_Entry_2017_v2020.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    return nih_folder(tmp_path_factory.mktemp("large"), 100_000)


def measured(root: Path) -> dict[str, float]:
    command = [sys.executable, "-c", MEASURE, str(root)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    print(found)
    return found


def test_indexing_and_drawing_grow_linearly_or_better(large, tmp_path):
    small, big = measured(nih_folder(tmp_path, 10_000)), measured(large)
    assert (small["images"], big["images"]) == (10_000, 100_000)
    assert big["seconds"] < 12 * small["seconds"]
    assert 0 < big["bytes"] < 2_000 * big["images"]


def small_patches(images: int) -> Profile:
    """Profile `paper` with patches that fit the small files."""
    profile = get_profile("paper")
    config = replace(profile.train, patch_size=16, patches=256, batch_size=64)
    return replace(profile, images=images, patches_per_image=4, train=config)


def test_the_patch_store_of_a_random_tenth(large, tmp_path):
    source = find_source(large)
    profile = small_patches(10_000)
    cut = (tmp_path / "store", profile.images, profile.patches_per_image, 16)
    pool = training_pool(source, *cut, progress=False)
    assert pool.patches.shape == (40_000, 16, 16)
    drawn = source.drawn(10_000).index
    shares = drawn["split"].value_counts(normalize=True)
    np.testing.assert_allclose(shares[list(SPLITS[:3])], [0.7, 0.2, 0.1], atol=0.02)
    assert len(pool) == 4 * (drawn["split"] == "train").sum()
    # The images are drawn from the whole range of names.
    numbers = drawn["patient_id"].astype(int)
    assert abs(numbers.mean() - 12_500) < 300 and drawn["image"].is_monotonic_increasing
    again = training_pool(source, *cut, progress=False)
    assert again.digest == pool.digest
