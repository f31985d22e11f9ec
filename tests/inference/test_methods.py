"""Methods by name: their labels, their one signature, and what their results depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.baselines import independent
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


def test_networks_trained_by_others_are_left_out_unless_they_are_there(tmp_path, monkeypatch):
    label, path = "GAT+DnCNN (photographs)", tmp_path / independent.DNCNN
    monkeypatch.setattr(independent, "networks_folder", lambda: tmp_path)
    names = ("TV", label)
    assert label not in methods.available_names(names)
    assert "fetch-networks" in methods.left_out(names)[label]
    with pytest.raises(XbdcnnError, match=r"kair_dncnn_25\.safetensors: .*fetch-networks"):
        methods.collect_methods(("TV",), only=[label])
    path.write_bytes(b"weights")
    assert methods.available_names(names)[-2:] == ["TV", label] and not methods.left_out(names)
    assert list(methods.collect_methods(("TV",), only=[label])) == [label]
    assert methods.method_versions([label]) == {label: sha256_of(path)}
