"""Scripts of the live page: they compute what the package computes in Python."""

from __future__ import annotations

import io

import live_page
import numpy as np
import pytest
import torch
from live_scripts import call, random_image
from PIL import Image
from playwright.sync_api import Page

from xbdcnn import metrics
from xbdcnn.explorer import captions, dose, drawing
from xbdcnn.explorer.views import State, profile
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.level_estimator import encode_levels
from xbdcnn.noise import GREY_LEVELS, add_hybrid_noise, noise_variance

SAMPLES = 2**16

pytestmark = pytest.mark.slow


def noise_of_script(page: Page, g: float, eta: float, sigma: float, seed: int = 1) -> np.ndarray:
    """Noisy values of the script for a constant image of the value g."""
    code = "Array.from(m.addHybridNoise(new Float32Array(v[1]).fill(v[0]), ...v.slice(2)))"
    return np.array(call(page, "noise", code, g, SAMPLES, eta, sigma, seed))


LEVELS = [
    (0.1, 0.02, 0.0),  # 0.5 photons
    (0.5, 0.07, 3.0),  # 9 photons, the product of uniform numbers
    (0.5, 0.09, 0.0),  # 11 photons, rejection
    (0.6, 0.4, 10.0),
    (0.9, 0.1, 40.0),  # clipped
    (0.3, 80.0, 0.5),  # 6120 photons
    (0.4, np.inf, 12.0),
]
"""Grey level in [0, 1], eta and sigma."""


@pytest.mark.parametrize(("g", "eta", "sigma"), LEVELS)
def test_noise_has_the_moments_of_noise_py(scripts, g, eta, sigma):
    found = noise_of_script(scripts, g, eta, sigma)
    generator = torch.Generator().manual_seed(2)
    image = torch.full((1, 1, 512, 512), g, dtype=torch.float64)
    wanted = add_hybrid_noise(image, eta, sigma, generator).flatten().numpy()
    spread = wanted.std()
    standardised, expected = ((x - wanted.mean()) / spread for x in (found, wanted))
    for power in (1, 2, 3):
        # 5 standard errors of the moment, of both samples together
        error = 5 * (expected**power).std() * np.sqrt(1 / len(found) + 1 / len(wanted))
        difference = (standardised**power).mean() - (expected**power).mean()
        assert abs(difference) < error, (power, difference, error)


def test_noise_has_the_variance_of_eq_1_and_is_white(scripts):
    found = GREY_LEVELS * noise_of_script(scripts, 0.5, 0.6, 10.0)
    assert found.var() == pytest.approx(noise_variance(0.5, 0.6, 10.0), rel=0.03)
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 5 / np.sqrt(SAMPLES)


def test_a_seed_gives_the_same_noise_again(scripts):
    first, again, other = (noise_of_script(scripts, 0.5, 0.6, 10.0, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 5 / np.sqrt(SAMPLES)


def test_quantum_and_electronic_noise_are_independent(scripts):
    quantum, electronic, both = (
        noise_of_script(scripts, 0.5, eta, sigma) - 0.5
        for eta, sigma in ((0.6, 0.0), (np.inf, 10.0), (0.6, 10.0))
    )
    assert abs(np.corrcoef(quantum, electronic)[0, 1]) < 5 / np.sqrt(SAMPLES)
    np.testing.assert_allclose(quantum + electronic, both, atol=1e-6)


@pytest.mark.parametrize(("shape", "eta", "sigma"), [((384, 384), 0.4, 10.0), ((65, 97), 5.0, 0.0)])
def test_restoration_is_that_of_pytorch(browser, live_address, shape, eta, sigma):
    clean = torch.linspace(0.1, 0.9, shape[1]).expand(1, 1, *shape)
    noisy = add_hybrid_noise(clean, eta, sigma)
    page = browser.new_page()
    page.goto(f"{live_address}/noise.js")
    code = "Array.from((await m.restore(Float32Array.from(v[0]), ...v.slice(1))).restored)"
    found = call(page, "restoring", code, noisy.flatten().tolist(), *shape, eta, sigma)
    page.close()
    network = load_pretrained(live_page.NETWORK, precision="fp32").network.denoiser
    with torch.inference_mode():
        wanted = network(noisy, encode_levels(eta, sigma, 0.0, noisy)).image.clamp(0, 1)
    np.testing.assert_allclose(np.reshape(found, shape), wanted[0, 0], rtol=0, atol=1e-3)


def test_scores_are_those_of_metrics(scripts):
    clean, image = random_image(2, 300)
    for name in ("psnr", "snr"):
        code = f"m.{name}(...v.map((x) => Float32Array.from(x)))"
        found = call(scripts, "scores", code, image.tolist(), clean.tolist())
        wanted = getattr(metrics, name)(image[None], clean[None])
        assert found == pytest.approx(float(wanted), abs=1e-4)


@pytest.mark.parametrize("state", [State(), State(0.1, 0.0), State(9.5, 33.5, as_it_is=True)])
def test_texts_are_those_of_the_explorer(scripts, state):
    values = {"eta": state.eta, "sigma": state.sigma, "as_it_is": state.as_it_is}
    constants = {"mid_grey": dose.MID_GREY, "ordinary_eta": dose.ORDINARY_ETA}
    found = call(scripts, "texts", "m.noiseTexts(...v)", values, 0.37, constants, state.method)
    wanted = captions.noise_texts(state, 0.37)
    if state.as_it_is:
        assert "no noise is added" in found.pop("sentence") and wanted.pop("sentence")
    assert found == wanted


def test_image_is_a_region_or_the_mean_of_areas(scripts):
    image = random_image(90, 60)
    radiograph = {"height": 90, "width": 60}
    code = """(() => {
        const image = m.shownImage({ ...v[0], grey: Float32Array.from(v[1]) }, v[2], 30);
        return [image.place, image.height, image.width, Array.from(image.grey)];
    })()"""
    cases = [
        ({"reduced": True, "corner": None}, [0, 0, 30, 20, 30, 20], None),
        ({"reduced": False, "corner": None}, [30, 15, 30, 30, 90, 60], (30, 15)),
        ({"reduced": False, "corner": [80, 3]}, [60, 3, 30, 30, 90, 60], (60, 3)),
    ]
    for state, place, corner in cases:
        found = call(scripts, "region", code, radiograph, image.ravel().tolist(), state)
        assert found[0] == place
        wanted = image.reshape(30, 3, 20, 3).mean(axis=(1, 3))
        if corner:
            wanted = image[corner[0] :, corner[1] :][:30, :30]
        np.testing.assert_allclose(np.reshape(found[3], found[1:3]), wanted, atol=1e-6)


def test_pixels_that_are_cut_count_by_their_part(scripts):
    code = "Array.from(m.reduceTo({ height: 1, width: 5, grey: Float32Array.from(v[0]) }, 2).grey)"
    found = call(scripts, "region", code, [0, 0.1, 0.4, 0.7, 1])
    np.testing.assert_allclose(found, [0.3 / 2.5, 1.9 / 2.5], atol=1e-6)


def test_png_has_16_bits(scripts):
    image = random_image(7, 5)
    code = "Array.from(new Uint8Array(await m.encodePng(Float32Array.from(v[0]), v[1], v[2])))"
    content = bytes(call(scripts, "png", code, image.ravel().tolist(), *image.shape))
    with (
        Image.open(io.BytesIO(content)) as found,
        Image.open(io.BytesIO(drawing.png(image))) as wanted,
    ):
        assert found.mode == wanted.mode == "I;16"
        assert np.array_equal(np.asarray(found), np.asarray(wanted))


@pytest.mark.parametrize("line", [(3, 0, 3, 15), (11, 2, 0, 9), (5, 5, 5, 5)])
def test_profile_is_that_of_the_explorer(scripts, line):
    image = random_image(12, 16)
    code = "m.profileChart({ noisy: Float32Array.from(v[0]) }, 16, v[1])"
    svg = call(scripts, "charts", code, image.ravel().tolist(), line)
    points = svg.split('points="')[1].split('"')[0].split()
    x, y = np.array([point.split(",") for point in points], float).T
    assert (x[0], len(x)) == (30, max(line[2] - line[0], line[0] - line[2], line[3] - line[1]) + 1)
    np.testing.assert_allclose((134 - y) / 112 * GREY_LEVELS, profile(image, line), atol=0.2)
