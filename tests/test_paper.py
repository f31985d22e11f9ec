"""The printed tables are complete, and their columns are corrected where they are swapped."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from xbdcnn import paper
from xbdcnn.paper import TABLE_1, TABLE_2, TABLE_2_NOISY_PSNR, Scores, columns_are_swapped

CNN_ROWS = {"DnCNN", "X-ReCNN", "X-BDCNN", "X-BDCNN w/o SSIM loss", "X-BDCNN w/o the NLE"}
CELLS = [(levels, method) for levels, row in TABLE_2.items() for method in row]


def test_tables_are_complete() -> None:
    assert set(TABLE_1) == CNN_ROWS | {"Before Denoising", "BM3D"}
    levels = set(product(paper.ETAS, paper.SIGMAS))
    assert set(TABLE_2) == set(TABLE_2_NOISY_PSNR) == levels
    assert len(CELLS) == 27
    assert all(set(row) == {"DnCNN", "X-ReCNN", "X-BDCNN"} for row in TABLE_2.values())


@pytest.mark.parametrize(("levels", "method"), CELLS)
def test_table_2_columns_differ_by_one_constant(levels: tuple[float, float], method: str) -> None:
    printed = TABLE_2[levels][method]
    assert printed.snr - printed.psnr == pytest.approx(4.2829, abs=1.0001e-4)


def test_the_constant_difference_corresponds_to_an_rms_grey_level() -> None:
    differences = [
        TABLE_2[levels][method].snr - TABLE_2[levels][method].psnr for levels, method in CELLS
    ]
    assert 255 / 10 ** (np.mean(differences) / 20) == pytest.approx(155.7, abs=0.05)


def test_swapped_columns_are_those_of_the_networks() -> None:
    assert {method for method, cell in TABLE_1.items() if columns_are_swapped(cell)} == CNN_ROWS
    assert all(columns_are_swapped(TABLE_2[levels][method]) for levels, method in CELLS)


def test_correction_swaps_the_networks_and_nothing_else() -> None:
    for method, printed in TABLE_1.items():
        right = paper.corrected(printed)
        assert right.snr <= right.psnr
        assert (right.ssim, right.seconds) == (printed.ssim, printed.seconds)
        if method in CNN_ROWS:
            assert (right.snr, right.psnr) == (printed.psnr, printed.snr)
        else:
            assert right == printed


def test_correction_twice_is_correction_once() -> None:
    for levels, method in CELLS:
        once = paper.corrected(TABLE_2[levels][method])
        assert paper.corrected(once) == once


def test_correction_of_equal_columns_changes_nothing() -> None:
    assert paper.corrected(Scores(30.0, 30.0, 0.9)) == Scores(30.0, 30.0, 0.9)


def test_corrected_values_quoted_elsewhere() -> None:
    assert paper.corrected(TABLE_1["X-BDCNN"]).psnr == 41.1070
    best = [paper.corrected(row["X-BDCNN"]).psnr for row in TABLE_2.values()]
    assert (min(best), max(best)) == (39.3198, 41.2326)


def test_spot_checks_of_table_2() -> None:
    assert TABLE_2[0.4, 5.0]["DnCNN"] == Scores(39.5037, 35.2209, 0.9832)
    assert TABLE_2[0.6, 10.0]["X-ReCNN"] == Scores(37.1694, 32.8865, 0.9754)
    assert TABLE_2[0.8, 15.0]["X-BDCNN"] == Scores(39.9653, 35.6824, 0.9840)
    assert TABLE_2_NOISY_PSNR[0.4, 15.0] == 20.7651


def test_scores_improve_with_eta_and_decrease_with_sigma() -> None:
    """A typing error in one of the 117 numbers would most likely violate this order."""

    def series(levels: tuple[float, float]) -> list[float]:
        cells = TABLE_2[levels].values()
        return [TABLE_2_NOISY_PSNR[levels], *(value for cell in cells for value in cell[:3])]

    for eta, sigma in product(paper.ETAS, paper.SIGMAS):
        if eta > min(paper.ETAS):
            darker = max(e for e in paper.ETAS if e < eta)
            assert np.all(np.subtract(series((eta, sigma)), series((darker, sigma))) > 0)
        if sigma > min(paper.SIGMAS):
            quieter = max(s for s in paper.SIGMAS if s < sigma)
            assert np.all(np.subtract(series((eta, quieter)), series((eta, sigma))) > 0)


def test_constants() -> None:
    assert paper.ALPHA == 0.3
    assert paper.LAMBDAS == (0.4, 0.6, 0.5, 0.05)
    assert paper.ETA_RANGE == (0.4, 1.9)
    assert paper.SIGMA_RANGE == (0.0, 20.0)
    assert paper.ETAS == (0.4, 0.6, 0.8)
    assert paper.SIGMAS == (5.0, 10.0, 15.0)
    assert paper.LEARNING_RATES == (1e-3, 1e-4)
    assert paper.EPOCHS == (20, 20)
    assert paper.BATCH_SIZE == 64
    assert (paper.IMAGES, paper.PATCHES, paper.PATCH_SIZE) == (10_000, 320_000, 128)
    assert paper.SPLIT_RATIO == (7, 2, 1)
    assert paper.TRAINING_HOURS == 30.0
