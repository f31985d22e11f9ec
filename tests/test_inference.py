"""Pretrained networks take and return ordinary arrays, whole or in tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from xbdcnn import inference, load_pretrained, metrics, noise, zoo
from xbdcnn.data import find_source
from xbdcnn.errors import XbdcnnError
from xbdcnn.inference import HALO, Pretrained, tiles
from xbdcnn.models import BALANCED, WITHOUT_NLE

RANDOM = np.random.default_rng(0)


def untrained(architecture: str = "xbdcnn", recipe=None) -> Pretrained:
    recipe = recipe or replace(BALANCED, width=8)
    network = zoo.build_network(architecture, recipe, seed=1).eval()
    return Pretrained(network, recipe, {"name": architecture})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(16, 16), (37, 50), (64, 31)])
def test_dtype_and_shape_are_kept(dtype, shape):
    image = RANDOM.random(shape)
    if np.issubdtype(dtype, np.integer):
        image = image * np.iinfo(dtype).max
    image = image.astype(dtype)
    before = image.copy()
    restored = untrained().denoise(image)
    assert restored.dtype == dtype and restored.shape == shape
    np.testing.assert_array_equal(image, before)


def test_uint16_is_read_over_its_full_range():
    image = RANDOM.random((32, 32))
    as_float = untrained().denoise(image)
    as_integer = untrained().denoise(np.round(image * 65535).astype(np.uint16))
    np.testing.assert_allclose(as_integer / 65535, as_float, atol=2e-4)


@pytest.mark.parametrize(
    "image, word",
    [
        (np.zeros((3, 32, 32), np.uint8), "shape"),
        (np.zeros((15, 32), np.uint8), "16"),
        (np.zeros((32, 32), np.int16), "int16"),
        (np.full((32, 32), np.nan), "finite"),
        (np.full((32, 32), 1.5), "rescale"),
    ],
)
def test_bad_images_are_refused(image, word):
    with pytest.raises(XbdcnnError, match=word):
        untrained().denoise(image)


@pytest.mark.parametrize("architecture", ["xbdcnn", "dncnn", "xrecnn"])
def test_tiles_give_the_whole_image(architecture):
    recipe = None if architecture == "xbdcnn" else zoo.PLAIN_MSE
    model = untrained(architecture, recipe)
    image = RANDOM.random((301, 214)).astype(np.float32)
    whole, tiled = (model.denoise(image, tile) for tile in (None, 96))
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_tiled_estimates_agree():
    model = untrained()
    image = RANDOM.random((200, 150)).astype(np.float32)
    np.testing.assert_allclose(model.estimate(image, 64), model.estimate(image, None), rtol=1e-4)


@pytest.mark.parametrize("tile", [15, 12, 98])
def test_odd_tiles_are_refused(tile):
    with pytest.raises(XbdcnnError, match="multiple of 4"):
        untrained().denoise(np.zeros((32, 32)), tile)


def test_tiles_cover_every_pixel_once():
    seen = np.zeros((130, 70), int)
    for window, halo in tiles(seen.shape, 32):
        seen[window] += 1
        assert all(
            h.start <= w.start and w.stop <= h.stop for w, h in zip(window, halo, strict=True)
        )
    assert (seen == 1).all()


@pytest.mark.parametrize("architecture", ["xbdcnn", "dncnn", "xrecnn"])
def test_halo_exceeds_the_receptive_field(architecture):
    recipe = replace(BALANCED, width=8) if architecture == "xbdcnn" else zoo.PLAIN_MSE
    network = zoo.build_network(architecture, recipe).eval()
    side = 2 * HALO + 60
    image = torch.rand(1, 1, side, side, requires_grad=True)
    network(image).restored[0, 0, side // 2, side // 2].backward()
    reach = (image.grad[0, 0] != 0).nonzero() - side // 2
    assert 5 < reach.abs().max() <= HALO


def test_networks_without_nle_estimate_nothing():
    model = untrained(recipe=replace(WITHOUT_NLE, width=8))
    with pytest.raises(XbdcnnError, match="estimates no noise level"):
        model.estimate(np.zeros((32, 32)))


def test_load_from_a_file_of_one_s_own(tmp_path):
    recipe = replace(BALANCED, width=8)
    path = tmp_path / "mine.safetensors"
    zoo.save_weights(zoo.build_network("xbdcnn", recipe), path, "xbdcnn", recipe, name="mine")
    assert load_pretrained(path).metadata["name"] == "mine"
    assert load_pretrained(str(path)).recipe == recipe


def test_shipped_network_denoises_a_real_radiograph():
    clean = find_source().images("table2", 1)[0][:256, :256]
    noisy = noise.add_hybrid_noise_numpy(clean, 0.6, 10.0, np.random.default_rng(0))
    model = inference.load_pretrained("xbdcnn")
    gain = metrics.psnr(model.denoise(noisy), clean) - metrics.psnr(noisy, clean)
    assert gain > 10
    eta, sigma = model.estimate(noisy)
    assert 0.2 < eta < 2.5 and 0 <= sigma < 30
