"""The record of training runs, and their budgets."""

from dataclasses import replace

import pytest

from xbdcnn import paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference.weights import build_network, save_weights, shipped_path
from xbdcnn.models import AS_WRITTEN
from xbdcnn.study.trainings import (
    paper_share,
    recorded_share,
    recorded_shares,
    training_row,
)
from xbdcnn.training.batches import TrainConfig


def test_share_of_the_papers_pixels():
    """224,000 patches of 128 x 128 in 40 epochs are all of them; 64 x 64 are a quarter of each."""
    assert paper.TRAINING_PIXELS == 224_000 * 40 * 128 * 128
    assert paper_share(TrainConfig().patches, TrainConfig().patch_size) == pytest.approx(100)
    assert paper_share(224_000, 64) == pytest.approx(100 / 40 / 4)


def test_share_of_a_negative_budget():
    with pytest.raises(XbdcnnError, match="-1 patches of side 64"):
        paper_share(-1, 64)


def stored(folder, **facts):
    recipe = replace(AS_WRITTEN, width=8)
    path = folder / "xbdcnn.safetensors"
    save_weights(build_network("xbdcnn", recipe), path, "xbdcnn", recipe, name="xbdcnn", **facts)
    return path


def test_share_counts_every_run_with_its_own_patch_size(tmp_path):
    """A first run of 224,000 patches of 128 x 128, and a second of as many of 64 x 64."""
    assert recorded_share(stored(tmp_path)) is None
    first = {"patches": 224_000, "patch_size": 128}
    assert recorded_share(stored(tmp_path, budget=first)) == pytest.approx(100 / 40)
    both = {"patches": 448_000, "patch_size": 64}
    path = stored(tmp_path, budget=both, earlier=[first])
    assert recorded_share(path) == pytest.approx(100 / 40 * 1.25)
    assert recorded_shares(tmp_path) == {"X-BDCNN (balanced)": recorded_share(path)}


def test_a_file_without_a_record_was_computed_in_the_format_of_its_budget():
    assert training_row(shipped_path("xbdcnn"))["arithmetic"] == "bf16"


def test_shipped_successors_have_an_estimator_with_a_share_of_its_own():
    shares = recorded_shares()
    assert shares["Level estimator"] == pytest.approx(100 * 80_000 * 512**2 / paper.TRAINING_PIXELS)
    assert 0 < shares["Successor (tiny)"] < shares["Successor (generalist)"] < 100
