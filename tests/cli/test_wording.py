"""What the commands say about the estimated noise, and their warnings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from xbdcnn.cli.batch import AUTOMATIC, Control, Restored, denoise_file
from xbdcnn.cli.estimate import estimate_file
from xbdcnn.cli.wording import describe_levels, format_estimate
from xbdcnn.data.builtin import builtin_crop
from xbdcnn.detector import scintillator_blur
from xbdcnn.inference.restoring import Levels
from xbdcnn.inference.successor import NoiseEstimate, PretrainedSuccessor
from xbdcnn.inference.weights import build_network, load_network, shipped_path
from xbdcnn.noise import TrainingNoise
from xbdcnn.successor import BlindSuccessor, SuccessorRecipe

ESTIMATE = NoiseEstimate(Levels(0.6, 10.0), Levels(0.55, 9.0), Levels(0.66, 11.0), 0.25, 0.1)


def successor(training: TrainingNoise) -> PretrainedSuccessor:
    """The shipped level estimator with a small untrained denoiser, called "mine"."""
    recipe = SuccessorRecipe(widths=(4, 8), blocks=1, noise=training)
    estimator, _ = load_network(shipped_path("levels"))
    network = BlindSuccessor(estimator, build_network("successor", recipe, seed=1)).eval()
    return PretrainedSuccessor(network, recipe, {"name": "mine"})


def denoised(
    network: PretrainedSuccessor, folder: Path, noise: np.ndarray, control: Control = AUTOMATIC
) -> Restored:
    """Restore a reduced radiograph to which noise (512, 512) in grey levels was added."""
    grey = 255 * builtin_crop(512) + noise
    Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).save(folder / "noisy.png")
    return denoise_file(network, folder / "noisy.png", folder / "out.png", control=control)


def noise_of(strength: float, blur: float = 0.0) -> np.ndarray:
    """Noise (512, 512) of a standard deviation in grey levels, correlated by a blur in pixels."""
    white = torch.randn(1, 1, 512, 512, generator=torch.Generator().manual_seed(0))
    noise = scintillator_blur(white, torch.tensor([blur]))[0, 0].numpy()
    return noise * (strength / noise.std())


def test_an_estimate_is_told_with_intervals_and_the_noise_at_mid_grey():
    assert format_estimate(ESTIMATE) == (
        "eta 0.6 [0.55, 0.66], sigma 10 [9, 11], correlation 0.25 +- 0.10, "
        "17.7 grey levels of noise at mid grey"
    )


def test_a_level_without_limit_is_told_as_inf_and_none_as_0():
    wide = ESTIMATE._replace(lowest=Levels(0.555, 2.5e-5), highest=Levels(4e11, 10.44))
    assert format_estimate(wide).startswith("eta 0.6 [0.555, inf], sigma 10 [0, 10.4], ")


def test_a_level_with_intervals_is_preferred_and_given_levels_are_told_as_such():
    levels, error = Levels(0.6, 10.0), Levels(0.05, 0.7)
    assert describe_levels(levels, None, ESTIMATE, given=False) == format_estimate(ESTIMATE)
    given = describe_levels(levels, error, None, given=True)
    assert given == "eta 0.60, sigma 10.0 (as given)"
    measured = describe_levels(levels, error, None, given=False)
    assert measured == "eta 0.60 +- 0.05, sigma 10.0 +- 0.7"
    assert describe_levels(None, None, None, given=False) == "no noise level estimated"


def test_the_line_of_a_file_has_the_estimate_of_the_network_and_what_was_removed(tmp_path):
    network = successor("radiographs")
    found = denoised(network, tmp_path, noise_of(12.0))
    image = np.asarray(Image.open(tmp_path / "noisy.png")) / np.float32(255)
    told = format_estimate(network.measure(image))
    assert found.line.endswith(f"; {told}; removed {found.removed:.1f} grey levels")
    assert "sigma 1" in told and "correlation " in told and found.removed > 0
    first = estimate_file(network, tmp_path / "noisy.png")[0]
    assert first.startswith(f"{tmp_path / 'noisy.png'}: {told}; ")


def test_the_noise_of_a_file_is_estimated_once(tmp_path):
    network, calls = successor("radiographs"), []
    network.network.estimator.register_forward_hook(lambda *call: calls.append(call))
    denoised(network, tmp_path, noise_of(12.0))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("training", "strength", "blur", "words"),
    [
        ("paper", 0.0, 0.0, "the noise may be weaker than mine was trained for"),
        ("paper", 12.0, 0.0, None),
        ("paper", 12.0, 0.7, "the noise is correlated, and mine was trained for uncorrelated"),
        ("paper", 40.0, 0.0, "the noise may be stronger than mine was trained for"),
        ("radiographs", 0.0, 0.0, None),
        ("radiographs", 12.0, 0.7, None),
        ("radiographs", 45.0, 0.0, "the noise may be stronger than mine was trained for"),
    ],
)
def test_a_line_ends_with_a_warning_at_the_edge_of_the_training(
    tmp_path, training, strength, blur, words
):
    line = denoised(successor(training), tmp_path, noise_of(strength, blur)).line
    beginning, warning, text = line.partition(" grey levels; warning: ")
    assert " removed " in beginning and bool(warning) == (words is not None)
    assert text.startswith(words or "")


def test_given_levels_come_without_warning(tmp_path):
    control = Control(levels=(0.1, 50.0))
    line = denoised(successor("paper"), tmp_path, noise_of(0.0), control).line
    assert "; eta 0.10, sigma 50.0 (as given); removed " in line and "warning" not in line
