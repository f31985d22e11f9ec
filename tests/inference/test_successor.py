"""A successor restores NumPy arrays: whole-image levels, tiles, control, and its weight file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.builtin import builtin_crop
from xbdcnn.inference.pretrained import Levels, Pretrained, load_pretrained
from xbdcnn.inference.successor import PretrainedSuccessor
from xbdcnn.inference.weights import build_network, load_network, save_weights, shipped_path
from xbdcnn.inference.zoo import MSE_ONLY
from xbdcnn.level_estimator import EstimatorRecipe
from xbdcnn.metrics import psnr
from xbdcnn.models import BALANCED
from xbdcnn.noise import add_hybrid_noise_numpy, noise_variance
from xbdcnn.study.audit.out_of_range import correlated_noise
from xbdcnn.successor import BlindSuccessor, SuccessorRecipe

SMALL = SuccessorRecipe(widths=(4, 8, 8), blocks=1)
IMAGE = np.random.default_rng(0).random((150, 214)).astype(np.float32)


def blind() -> BlindSuccessor:
    parts = build_network("estimator", EstimatorRecipe(), 1), build_network("successor", SMALL, 1)
    return BlindSuccessor(*parts).eval()


@pytest.fixture(scope="module")
def model() -> PretrainedSuccessor:
    return PretrainedSuccessor(blind(), SMALL, {"name": "small"})


def test_tiles_give_the_result_of_the_whole_image(model):
    whole, tiled = (model.restore(IMAGE, tile) for tile in (None, 64))
    assert model.receptive_field.stride == 4
    np.testing.assert_allclose(tiled.image, whole.image, atol=1e-5)
    assert tiled.levels == whole.levels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_dtype_and_shape_are_kept(model, dtype):
    image = IMAGE if dtype == np.float64 else IMAGE * np.iinfo(dtype).max
    restored = model.denoise(image.astype(dtype))
    assert restored.dtype == dtype and restored.shape == IMAGE.shape


def test_levels_are_those_of_the_whole_image(model):
    levels = model.restore(IMAGE, maps=True).levels
    assert levels.shape == (2, *IMAGE.shape) and np.ptp(levels, axis=(1, 2)).max() == 0
    assert tuple(levels[:, 0, 0]) == pytest.approx(model.estimate(IMAGE), rel=1e-5)
    assert model.measure(IMAGE).levels == pytest.approx(model.estimate(IMAGE), rel=1e-5)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_measuring_and_restoring_together_gives_the_same_with_one_estimate(model, strength):
    calls = []
    handle = model.network.estimator.register_forward_hook(lambda *call: calls.append(call))
    found, restored = model.measure_and_restore(IMAGE, strength=strength)
    handle.remove()
    expected = model.restore(IMAGE, strength=strength)
    assert len(calls) == 1 and found == model.measure(IMAGE) and restored.levels == expected.levels
    np.testing.assert_array_equal(restored.image, expected.image)


def test_intervals_contain_the_estimate(model):
    found = model.measure(IMAGE)
    for low, value, high in zip(found.lowest, found.levels, found.highest, strict=True):
        assert low < value < high
    assert found.correlation_error > 0


def test_autocast_around_the_call_changes_nothing(model):
    image = np.random.default_rng(0).random((48, 40), dtype=np.float32)
    expected, measured = model.restore(image), model.measure(image)
    with torch.autocast("cpu", torch.bfloat16):
        restored, levels = model.restore(image)
        assert model.measure(image) == measured
    np.testing.assert_array_equal(restored, expected.image)
    assert levels == expected.levels


def test_given_levels_replace_the_estimate(model):
    given = Levels(0.7, 12.0)
    restored = model.restore(IMAGE, levels=given)
    assert restored.levels == pytest.approx(given, rel=1e-5)
    assert not np.allclose(restored.image, model.denoise(IMAGE), atol=1e-4)


def test_given_levels_replace_those_of_an_x_bdcnn():
    network = Pretrained(build_network("xbdcnn", BALANCED, seed=1).eval(), BALANCED, {})
    given = Levels(0.7, 12.0)
    assert network.restore(IMAGE, levels=given).levels == pytest.approx(given, rel=1e-5)


@pytest.mark.parametrize("recipe", [MSE_ONLY, BALANCED])
def test_a_network_without_a_level_input_refuses_levels(recipe):
    network = Pretrained(build_network("dncnn", recipe).eval(), recipe, {"name": "dncnn"})
    with pytest.raises(XbdcnnError, match="'dncnn' takes no noise level"):
        network.restore(IMAGE, levels=Levels(1.0, 5.0))


def test_strength_scales_the_residual(model):
    full, half, none = (model.restore(IMAGE, strength=s).image for s in (1.0, 0.5, 0.0))
    np.testing.assert_array_equal(none, IMAGE)
    inside = (full > 0) & (full < 1)  # elsewhere the result is clipped
    np.testing.assert_allclose((IMAGE - half)[inside], 0.5 * (IMAGE - full)[inside], atol=1e-6)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_refused(model, strength):
    with pytest.raises(XbdcnnError, match="strength must be within 0 and 1"):
        model.restore(IMAGE, strength=strength)
    with pytest.raises(XbdcnnError, match="strength must be within 0 and 1"):
        model.measure_and_restore(IMAGE, strength=strength)


@pytest.mark.parametrize("levels", [(0.0, 5.0), (1.0, -1.0), (float("nan"), 5.0)])
def test_impossible_levels_are_refused(model, levels):
    with pytest.raises(XbdcnnError, match="eta must be above 0"):
        model.restore(IMAGE, levels=Levels(*levels))


def test_bfloat16_is_close_to_float32(model):
    bf16 = PretrainedSuccessor(model.network, SMALL, {}, "bf16")
    np.testing.assert_allclose(bf16.denoise(IMAGE), model.denoise(IMAGE), atol=0.02)


def test_bfloat16_does_not_round_the_image_itself(model):
    """Grey levels k / 255 above 0.5 would be rounded up by 0.25 grey levels on average."""
    image = (np.random.default_rng(1).integers(128, 256, (64, 64)) / 255).astype(np.float32)
    bf16 = PretrainedSuccessor(model.network, SMALL, {}, "bf16")
    difference = 255 * (bf16.denoise(image) - model.denoise(image))
    assert abs(difference.mean()) < 0.05


def save_parts(network: BlindSuccessor, folder: Path) -> Path:
    save_weights(network.estimator, folder / "levels.safetensors", "estimator", EstimatorRecipe())
    path = folder / "mine.safetensors"
    save_weights(network.denoiser, path, "successor", SMALL, name="mine")
    return path


def test_a_denoiser_is_loaded_with_the_estimator_beside_it(model, tmp_path):
    loaded = load_pretrained(save_parts(model.network, tmp_path), precision="fp32")
    assert isinstance(loaded, PretrainedSuccessor) and loaded.name == "mine"
    assert loaded.metadata["estimator"]["architecture"] == "estimator"
    np.testing.assert_allclose(loaded.denoise(IMAGE), model.denoise(IMAGE), atol=2e-3)  # float16


def test_a_level_estimator_is_no_denoiser(model, tmp_path):
    save_parts(model.network, tmp_path)
    with pytest.raises(XbdcnnError, match=r"levels\.safetensors: a level estimator"):
        load_pretrained(tmp_path / "levels.safetensors")


def test_damaged_weights_are_reported(model):
    network = blind()
    with torch.no_grad():
        network.estimator.whole[0].weight.fill_(float("nan"))
    with pytest.raises(XbdcnnError, match="NaN"):
        PretrainedSuccessor(network, SMALL, {"name": "small"}).denoise(IMAGE)


@pytest.mark.parametrize(("eta", "sigma"), [(0.5, 15.0), (1.5, 5.0)])
def test_the_shipped_estimator_finds_the_levels_of_a_radiograph(eta, sigma):
    estimator, _ = load_network(shipped_path("levels"))
    model = PretrainedSuccessor(
        BlindSuccessor(estimator, build_network("successor", SMALL)).eval(), SMALL, {}
    )
    clean = builtin_crop(1024)  # reduced, so that it has little noise of its own
    found = model.measure(add_hybrid_noise_numpy(clean, eta, sigma, np.random.default_rng(0)))
    assert found.levels.eta == pytest.approx(eta, rel=0.1)
    assert found.levels.sigma == pytest.approx(sigma, abs=1.0)
    assert found.lowest.eta < eta < found.highest.eta and abs(found.correlation) < 0.02


@pytest.mark.parametrize("blur", [0.5, 1.0])
def test_the_shipped_estimator_finds_the_strength_of_correlated_noise(blur):
    """Noise blurred by one pixel has about a fifth of its spread in the finest detail."""
    model = load_pretrained("generalist")
    clean = builtin_crop(1024)
    noise = correlated_noise(clean, 0.6, 10.0, blur, seed=0) - clean
    found = model.measure((clean + noise).clip(0, 1))
    strength = noise_variance(float(clean.mean()), *found.levels) ** 0.5
    assert strength == pytest.approx(255 * noise.std(), rel=0.25)
    neighbours = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
    assert found.correlation == pytest.approx(neighbours, abs=0.08)


@pytest.mark.slow
def test_the_generalist_reduces_weak_and_correlated_noise_and_leaves_a_clean_image():
    model, clean = load_pretrained("generalist"), builtin_crop(512)
    assert 255 * np.std(model.denoise(clean) - clean) < 0.6
    for eta, sigma, blur, least in ((20, 1, 0, 3.0), (20, 1, 1, 0.2), (0.6, 10, 1, 7.0)):
        noisy = correlated_noise(clean, eta, sigma, blur, seed=0)
        assert psnr(model.denoise(noisy), clean) - psnr(noisy, clean) > least


def border_error(name: str) -> float:
    """RMS error in grey levels in the last two rows of images that end with a frame of one."""
    wave = 0.03 * np.sin(np.linspace(0, 9, 96))
    errors = []
    for brightness in (0.05, 0.5, 0.95):
        for frame in (0.0, 1.0):
            clean = np.tile(np.clip(brightness + wave, 0, 1), (96, 1))
            clean[-1] = frame
            noisy = add_hybrid_noise_numpy(clean, 0.6, 10.0, np.random.default_rng(1))
            restored = load_pretrained(name).denoise(noisy.astype(np.float32))
            errors.append(255 * (restored - clean)[-2:])
    return float(np.sqrt(np.mean(np.square(errors))))


def test_a_frame_at_the_border_is_restored_about_as_well_as_by_the_paper_s_network():
    bound = 1.3 * border_error("xbdcnn")
    assert all(border_error(name) < bound for name in ("specialist", "generalist", "tiny"))
