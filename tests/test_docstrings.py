"""The examples in the docstrings of the core modules run and show their true output."""

from __future__ import annotations

import doctest
import inspect
from types import ModuleType

import pytest

from xbdcnn import detector, level_estimator, losses, metrics, models, noise, paper, successor

CORE = [paper, noise, detector, models, losses, metrics, level_estimator, successor]
WITHOUT_EXAMPLE = {
    "add_hybrid_noise_numpy", "sample_levels", "levels_from_maps", "mid_range_levels",
    "mean_variance", "conv3x3", "conv_block", "require_image_batch", "ssim_operands",
    "decode_levels", "block_statistics", "fit_line",
    "light_output", "scintillator_blur", "blur_transfer", "readout_noise", "displayed",
}  # fmt: skip
"""Public functions that are explained by a neighbour's example or need none."""


@pytest.mark.parametrize("module", CORE, ids=lambda module: module.__name__)
def test_docstring_examples_run(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0 and results.failed == 0


@pytest.mark.parametrize("module", CORE, ids=lambda module: module.__name__)
def test_public_functions_have_an_example(module: ModuleType) -> None:
    functions = {
        name: function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    missing = {name for name, function in functions.items() if ">>>" not in function.__doc__}
    assert missing <= WITHOUT_EXAMPLE
