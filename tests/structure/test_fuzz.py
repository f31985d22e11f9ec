"""Mutated files and random arrays: no crash, no hang, bounded memory, only XbdcnnError.

The long run (`pytest -m long tests/structure/test_fuzz.py`) tries 20,000 files and writes its
counts to figures/promises/fuzz.csv.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import fuzzing
import hypothesis.extra.numpy as arrays
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import ROOT

from xbdcnn import noise
from xbdcnn._common.errors import XbdcnnError, require_radiograph
from xbdcnn._common.files import atomic_path
from xbdcnn._common.provenance import provenance
from xbdcnn.data import Window
from xbdcnn.inference.pretrained import Pretrained
from xbdcnn.inference.scales import to_unit_range
from xbdcnn.inference.weights import build_network
from xbdcnn.models import Recipe

RESULTS = ROOT / "figures" / "promises" / "fuzz.csv"

SHORT = {"png": 150, "jpeg": 50, "tiff": 50, "dicom": 150, "safetensors": 100}
LONG = {"png": 5000, "jpeg": 2000, "tiff": 3000, "dicom": 7000, "safetensors": 3000}


def fuzzed(kind: str, count: int, seed: int, seconds: float) -> dict:
    """Run `fuzzing.py` as a separate process; fail if it crashes or hangs."""
    command = [sys.executable, "tests/helpers/fuzzing.py", kind, str(count), str(seed)]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert run.returncode == 0, f"{kind}: exit code {run.returncode}: {run.stderr[-2000:]}"
    return json.loads(run.stdout.splitlines()[-1])


def assert_within_limits(result: dict) -> None:
    assert result["failed"] == 0, result["failures"]
    assert result["slowest_s"] < fuzzing.TIME_LIMIT
    assert result["memory_mb"] * 2**20 < fuzzing.MEMORY_LIMIT
    # Mutations that are all refused, or all accepted, would test nothing.
    assert 0.02 < result["accepted"] / result["tried"] < 0.9, result


def test_number_of_mutated_files():
    assert sum(SHORT.values()) >= 500 and sum(LONG.values()) >= 20_000
    assert set(SHORT) == set(LONG) == set(fuzzing.KINDS)


@pytest.mark.parametrize("kind", SHORT)
@pytest.mark.slow
def test_mutated_files(kind):
    assert_within_limits(fuzzed(kind, SHORT[kind], seed=0, seconds=300))


@pytest.mark.long
def test_many_mutated_files():
    """Try every file format with a seed of the day, and record the result."""
    facts = provenance()
    seed = int(facts["time"][:10].replace("-", ""))
    results = [fuzzed(kind, count, seed, seconds=3600) for kind, count in LONG.items()]
    for result in results:
        assert_within_limits(result)
    table = pd.DataFrame(results).drop(columns="failures")
    table = table.assign(date=facts["time"][:10], commit=facts["commit"])
    with atomic_path(RESULTS) as temporary:
        table.to_csv(temporary, index=False)


def test_failures_are_counted(tmp_path, monkeypatch):
    """Other errors, messages of two lines and messages without the file count as failures."""

    def fail(path: Path) -> None:
        raise {b"0": KeyError("x"), b"1": XbdcnnError("no name"), b"2": XbdcnnError(f"{path}\n")}[
            path.read_bytes()
        ]

    for content in (b"0", b"1", b"2"):
        (tmp_path / "case").write_bytes(content)
        assert fuzzing._outcome(fail, tmp_path / "case")[0] == "failed"


# --- arrays ---------------------------------------------------------------------------------

DTYPES = st.sampled_from([np.uint8, np.uint16, np.int16, np.int32, np.float16, np.float32, bool])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=40)
ARRAYS = DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES, fill=st.nothing()))
LEVELS = st.floats(allow_nan=True, allow_infinity=True, width=32)


@pytest.fixture(scope="module")
def pretrained() -> Pretrained:
    recipe = Recipe(width=4)
    return Pretrained(build_network("xbdcnn", recipe).eval(), recipe, {"name": "tiny"})


@given(arrays.arrays(np.float32, (3, 3)) | arrays.arrays(np.uint16, (17, 2)) | ARRAYS)
@settings(max_examples=60, deadline=None)
def test_any_array_is_scaled_or_refused(image):
    try:
        require_radiograph(image)
    except XbdcnnError as error:
        assert "\n" not in str(error)
    else:
        unit = to_unit_range(image)
        assert unit.shape == image.shape and 0 <= unit.min() <= unit.max() <= 1


@given(
    st.sampled_from([np.uint8, np.uint16, np.float32]),
    st.tuples(st.integers(16, 45), st.integers(16, 45)),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)
def test_any_radiograph_keeps_shape_and_dtype(pretrained, dtype, shape, seed):
    image = np.random.default_rng(seed).random(shape)
    image = image if dtype is np.float32 else image * np.iinfo(dtype).max
    restored, levels = pretrained.restore(image.astype(dtype))
    assert restored.shape == shape and restored.dtype == dtype and np.isfinite(restored).all()
    assert np.isfinite(levels).all()


@given(LEVELS, LEVELS, arrays.arrays(np.float32, (1, 1, 4, 4)))
@settings(max_examples=100, deadline=None)
def test_any_noise_level_is_simulated_or_refused(eta, sigma, image):
    try:
        noisy = noise.add_hybrid_noise(torch.from_numpy(image), eta, sigma)
    except XbdcnnError as error:
        assert "\n" not in str(error)
    else:
        assert torch.isfinite(noisy).all() and 0 <= noisy.min() <= noisy.max() <= 1


@given(
    st.floats(),
    st.floats(),
    arrays.arrays(np.uint16, (4, 4)) | arrays.arrays(np.int16, (4, 4)),
    arrays.arrays(np.float32, (4, 4), elements=st.floats(0, 1, width=32)),
)
@settings(max_examples=200, deadline=None)
def test_any_window_keeps_the_limits(black, white, stored, seen):
    try:
        window = Window(black, white, "test")
    except XbdcnnError as error:
        assert "--window" in str(error)
        return
    limits = (np.iinfo(stored.dtype).min, np.iinfo(stored.dtype).max)
    assert 0 <= window.to_unit(stored).min() <= window.to_unit(stored).max() <= 1
    restored = window.restore(stored, seen, limits)
    assert restored.dtype == stored.dtype
    same = window.restore(stored, window.to_unit(stored), limits)
    np.testing.assert_array_equal(same, stored)
