"""The command `estimate`: measured noise, its law, and whether the network was trained for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from xbdcnn import noise
from xbdcnn.cli import app
from xbdcnn.cli.estimate import LAWS, law_text, measured_lines, training_line
from xbdcnn.inference.weights import build_network, save_weights
from xbdcnn.measured_noise import NoiseAt, NoiseLaw, NoiseReport
from xbdcnn.models import WITHOUT_NLE

STRONG = NoiseReport(
    tuple(NoiseAt(grey, 15.0) for grey in (60.0, 127.0, 200.0)),
    0.0,
    NoiseLaw("affine", (1.5, -20.0), -50.0, 0.03),
    40.0,
    blocks=900,
)
NETWORK = SimpleNamespace(name="tiny", training_noise="paper")


def estimate(*arguments: object) -> list[str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.fixture
def noisy(tmp_path) -> Path:
    """A wedge of grey levels with eta 0.8 and sigma 10, 8 bits."""
    wedge = np.linspace(0.2, 0.8, 512)[None].repeat(512, 0)
    f = noise.add_hybrid_noise_numpy(wedge, 0.8, 10.0, np.random.default_rng(0))
    Image.fromarray((255 * f).round().astype(np.uint8)).save(tmp_path / "wedge.png")
    return tmp_path / "wedge.png"


def test_five_lines_tell_the_noise_of_a_file(noisy, weights):
    lines = estimate("estimate", noisy, "--network", weights)
    assert all(line.startswith(f"{noisy}: ") for line in lines)
    text = [line.removeprefix(f"{noisy}: ") for line in lines]
    starts = ("eta ", "measured noise: ", "correlation length: 0.", "noise law: ", "training: ")
    assert len(text) == 5 and all(map(str.startswith, text, starts))
    dark, middle, bright = (float(part.split(" at")[0]) for part in text[1][16:].split(", ")[:3])
    assert middle == pytest.approx((127.5 / 0.8 + 100) ** 0.5, rel=0.1)
    assert dark < middle < bright
    assert " affine, variance " in text[3]
    assert text[4] == "training: tiny was trained for noise like this"


def test_estimate_only_prints_the_same_as_estimate(noisy, weights):
    again = estimate("denoise", noisy, "--estimate-only", "--network", weights)
    assert again == estimate("estimate", noisy, "--network", weights)


def test_networks_without_nle_tell_the_measured_noise(noisy, tmp_path):
    recipe = replace(WITHOUT_NLE, width=8)
    path = tmp_path / "blind.safetensors"
    save_weights(build_network("xbdcnn", recipe), path, "xbdcnn", recipe, name="blind")
    lines = estimate("estimate", noisy, "--network", path)
    assert len(lines) == 5 and "no noise level estimated; stored 0 is black" in lines[0]


@pytest.mark.parametrize(
    ("name", "parameters", "formula"),
    [
        ("linear", (1.5,), "1.5 g"),
        ("affine", (1.5, -20.0), "1.5 g -20"),
        ("exponential", (30.0, 0.0099), "30 exp(0.0099 g)"),
        ("power", (0.004, 2.3), "0.004 g^2.3"),
    ],
)
def test_every_law_is_written_as_a_formula(name, parameters, formula):
    law = NoiseLaw(name, parameters, -50.0, 0.031)
    text = law_text(STRONG._replace(law=law))
    assert text == f"clearly {name}, variance {formula}, deviation 3%"
    assert LAWS[name].format(*parameters) == formula


def test_certainty_of_the_law_is_told():
    assert law_text(STRONG._replace(margin=5.0)).startswith("probably affine")
    assert law_text(STRONG._replace(margin=0.5)).startswith("perhaps affine")
    poor = STRONG._replace(law=STRONG.law._replace(error=0.6))
    assert law_text(poor).startswith("none of the four, nearest affine")


def test_undetermined_noise_is_told_in_words():
    unknown = NoiseReport(blocks=7)
    (line,) = measured_lines(unknown)
    assert line.startswith("measured noise: undetermined, 7 of the 150 necessary blocks")
    (line,) = measured_lines(NoiseReport(blocks=900))
    assert line.startswith("measured noise: undetermined, no difference between pixels")
    assert law_text(STRONG._replace(law=None, margin=None)).startswith("undetermined, all blocks")
    line = training_line(unknown, NETWORK)
    assert line == "training: undetermined whether tiny was trained for this noise"


@pytest.mark.parametrize(
    ("strength", "length", "words"),
    [
        (1.0, 0.6, "weaker and correlated (trained: uncorrelated, 8 to 27 grey levels"),
        (15.0, 0.6, "correlated (trained"),
        (60.0, 0.0, "stronger (trained"),
    ],
)
def test_noise_unlike_that_of_the_training_comes_with_a_remedy(strength, length, words):
    levels = tuple(at._replace(noise=strength) for at in STRONG.levels)
    line = training_line(STRONG._replace(levels=levels, correlation_length=length), NETWORK)
    assert words in line and line.startswith("training: tiny was not trained for this noise")
    remedy = line.rpartition("; ")[2]
    assert ("use the network generalist" in remedy) == (length > 0)
    assert ("averaging 2x2 pixels" in remedy) == (length == 0)


@pytest.mark.parametrize(
    ("strength", "length", "words"),
    [
        (1.0, 0.6, "was trained for noise like this"),
        (60.0, 0.6, "stronger (trained: blur up to 1.5 pixels, 0 to 35 grey levels at mid grey)"),
        (10.0, 2.0, "correlated (trained"),
    ],
)
def test_a_network_for_radiographs_knows_weak_and_correlated_noise(strength, length, words):
    levels = tuple(at._replace(noise=strength) for at in STRONG.levels)
    network = SimpleNamespace(name="mine", training_noise="radiographs")
    line = training_line(STRONG._replace(levels=levels, correlation_length=length), network)
    assert words in line and ("averaging 2x2" in line) == ("(trained" in line)
