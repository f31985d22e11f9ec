"""Methods by name: which are found, and what their results depend on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference import methods, zoo
from xbdcnn.inference.weights import build_network, save_weights
from xbdcnn.study.profiles import get_profile

SMOKE = get_profile("smoke")
OURS = zoo.ZOO["xbdcnn"].label


def test_methods_come_from_shipped_or_own_weights(tmp_path):
    found = methods.collect_methods(SMOKE.classical)
    assert {OURS, "DnCNN", "BM3D", "GAT+BM3D", "NLM", "TV"} <= set(found)
    with pytest.raises(XbdcnnError, match="no weights there"):
        methods.collect_methods(SMOKE.classical, weights=tmp_path)
    recipe = replace(zoo.ZOO["xbdcnn"].recipe, width=8)
    network = build_network("xbdcnn", recipe)
    save_weights(network, tmp_path / "xbdcnn.safetensors", "xbdcnn", recipe, name="xbdcnn")
    assert list(methods.collect_methods(SMOKE.classical, weights=tmp_path)) == [
        OURS,
        *SMOKE.classical,
    ]


def test_methods_can_be_chosen_by_name():
    assert list(methods.collect_methods(SMOKE.classical, only=["TV", "dncnn"])) == ["TV", "DnCNN"]
    with pytest.raises(XbdcnnError, match=r"no method bm4d; choose from dncnn, .*GAT"):
        methods.collect_methods(SMOKE.classical, only=["bm4d"])


def test_seeds_are_those_of_the_networks_measured_as_far_as_headers_tell(tmp_path):
    assert methods.training_seeds([OURS, "TV"]) == [0]
    assert methods.training_seeds(["TV"]) == []
    recipe = replace(zoo.ZOO["xbdcnn"].recipe, width=8)
    network = build_network("xbdcnn", recipe)
    path = tmp_path / "xbdcnn.safetensors"
    save_weights(network, path, "xbdcnn", recipe, name="xbdcnn")
    assert methods.training_seeds([OURS], tmp_path) == []
    save_weights(network, path, "xbdcnn", recipe, name="xbdcnn", provenance={"seed": 7})
    assert methods.training_seeds([OURS], tmp_path) == [7]


def test_versions_change_with_the_weights(tmp_path):
    recipe = replace(zoo.ZOO["xbdcnn"].recipe, width=8)
    found = []
    for seed in (0, 1):
        network = build_network("xbdcnn", recipe, seed)
        save_weights(network, tmp_path / "xbdcnn.safetensors", "xbdcnn", recipe, name="xbdcnn")
        found.append(methods.method_versions([OURS, "TV"], tmp_path))
    assert found[0][OURS] != found[1][OURS]
    assert found[0]["TV"] == found[1]["TV"]
    assert "scikit-image" in found[0]["TV"]
