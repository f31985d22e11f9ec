"""The record of training runs, and their budgets."""

import pytest

from xbdcnn import paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.study.trainings import paper_share
from xbdcnn.training.batches import TrainConfig


def test_share_of_the_papers_pixels():
    """224,000 patches of 128 x 128 in 40 epochs are all of them; 64 x 64 are a quarter of each."""
    assert paper.TRAINING_PIXELS == 224_000 * 40 * 128 * 128
    assert paper_share(TrainConfig().patches, TrainConfig().patch_size) == pytest.approx(100)
    assert paper_share(224_000, 64) == pytest.approx(100 / 40 / 4)


def test_share_of_a_negative_budget():
    with pytest.raises(XbdcnnError, match="-1 patches of side 64"):
        paper_share(-1, 64)
