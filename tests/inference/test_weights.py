"""Weight files: round trip, verification, and errors for unusable files."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import ship
import torch
from safetensors.torch import save_file

from xbdcnn import load_pretrained
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference import weights as weight_files
from xbdcnn.inference import zoo
from xbdcnn.inference.weights import (
    build_network,
    level_error,
    load_network,
    read_weights,
    recipe_from,
    save_weights,
    shipped_path,
)
from xbdcnn.models import AS_WRITTEN, BALANCED

SMALL = replace(BALANCED, width=8)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "small.safetensors"
    network = build_network("xbdcnn", SMALL, seed=3)
    save_weights(network, path, "xbdcnn", SMALL, name="xbdcnn")
    return path, network


def test_round_trip_keeps_weights_to_half_precision(weights):
    path, network = weights
    loaded, header = load_network(path)
    assert recipe_from(header) == SMALL
    assert not loaded.training
    for name, value in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-6)


def test_files_from_before_a_field_was_added_have_its_default(weights):
    header = {"architecture": "xbdcnn", "recipe": vars(SMALL).copy()}
    del header["recipe"]["loss_scale"]
    assert recipe_from(header) == SMALL
    assert "loss_scale" not in read_weights(shipped_path("xbdcnn"))[1]["recipe"]


def test_batch_norm_statistics_keep_full_precision(tmp_path):
    network = build_network("xrecnn", zoo.MSE_ONLY)
    statistics = {n: b for n, b in network.named_buffers() if b.is_floating_point()}
    for buffer in statistics.values():
        buffer.fill_(1e-7 / 3)
    save_weights(network, tmp_path / "x.safetensors", "xrecnn", zoo.MSE_ONLY)
    loaded, _ = load_network(tmp_path / "x.safetensors")
    assert statistics
    for name, buffer in loaded.named_buffers():
        if name in statistics:
            assert torch.equal(buffer, statistics[name])


@pytest.mark.parametrize(("architecture", "channels"), [("dncnn", 32), ("xrecnn", 24)])
def test_baselines_have_half_the_channels_at_half_width(tmp_path, architecture, channels):
    half, path = replace(zoo.MSE_ONLY, width=32), tmp_path / "half.safetensors"
    network = build_network(architecture, half)
    assert len(network.residual[0].weight) == channels
    save_weights(network, path, architecture, half)
    loaded, header = load_network(path)
    assert len(loaded.residual[0].weight) == channels and recipe_from(header) == half


@pytest.mark.parametrize("architecture", ["dncnn", "xrecnn"])
def test_baselines_of_full_width_load_whatever_their_header_states(tmp_path, architecture):
    """As written by version 0.1.0, which had no other width."""
    path, network = tmp_path / "old.safetensors", build_network(architecture, zoo.MSE_ONLY)
    save_weights(network, path, architecture, replace(zoo.MSE_ONLY, width=32))
    loaded, _ = load_network(path)
    assert loaded.residual[0].weight.shape == network.residual[0].weight.shape


def test_initial_weights_depend_on_the_seed_only():
    before = torch.get_rng_state()
    first, again, other = (build_network("dncnn", zoo.MSE_ONLY, s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weight = "residual.0.weight"
    assert torch.equal(first.state_dict()[weight], again.state_dict()[weight])
    assert not torch.equal(first.state_dict()[weight], other.state_dict()[weight])


def test_unknown_names_list_the_known_ones():
    with pytest.raises(XbdcnnError, match="xbdcnn-as-written"):
        zoo.find_entry("nonsense")
    with pytest.raises(XbdcnnError, match="dncnn"):
        build_network("resnet", AS_WRITTEN)


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{]      ", b"x" * 100])
def test_damaged_files_are_named(tmp_path, content):
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(content)
    with pytest.raises(XbdcnnError, match=r"damaged\.safetensors: not readable"):
        load_network(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_checkpoints_of_torch_are_not_read(tmp_path, legacy):
    path = tmp_path / "model.safetensors"
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(XbdcnnError, match=r"model\.safetensors: .* can execute code"):
        load_network(path)


def test_weights_of_other_programs_are_named_as_such(tmp_path):
    path = tmp_path / "model.safetensors"
    for metadata in (None, {"format": "pt"}):
        save_file({"weight": torch.ones(3)}, path, metadata)
        with pytest.raises(XbdcnnError, match=r"of another program, .* train a network"):
            load_network(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(XbdcnnError, match=r"absent\.safetensors: no such weights"):
        load_network(tmp_path / "absent.safetensors")


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "odd.safetensors"
    save_weights(build_network("dncnn", zoo.MSE_ONLY), path, "xbdcnn", SMALL)
    with pytest.raises(XbdcnnError, match=r"odd\.safetensors: weights do not fit"):
        load_network(path)


def test_headers_from_before_a_field_have_its_default(weights):
    path, _ = weights
    header = load_network(path)[1]
    del header["recipe"]["level_maps"]
    assert recipe_from(header) == SMALL


def test_headers_with_unknown_fields_are_refused():
    header = {"architecture": "xbdcnn", "recipe": {"colour": "red"}}
    with pytest.raises(XbdcnnError, match="colour"):
        recipe_from(header)


def test_shipping_records_the_checksum_and_loading_verifies_it(tmp_path, monkeypatch, weights):
    monkeypatch.setattr(weight_files, "WEIGHTS", tmp_path / "shipped")
    monkeypatch.setattr(weight_files, "CHECKSUMS", tmp_path / "shipped" / "checksums.json")
    target = ship.ship(weights[0], "xbdcnn")
    assert shipped_path("xbdcnn") == target
    assert zoo.shipped_names() == ["xbdcnn"]
    target.write_bytes(target.read_bytes()[:-1] + b"\xff")
    with pytest.raises(XbdcnnError, match="SHA-256"):
        shipped_path("xbdcnn")


def test_message_for_missing_weights_lists_choices_and_remedy(tmp_path, monkeypatch, weights):
    monkeypatch.setattr(weight_files, "WEIGHTS", tmp_path)
    monkeypatch.setattr(weight_files, "CHECKSUMS", tmp_path / "checksums.json")
    targets = [ship.ship(weights[0], name) for name in ("xbdcnn", "dncnn")]
    with pytest.raises(
        XbdcnnError, match=r"for 'xrecnn'; choose from dncnn, xbdcnn, pass .*`xbdcnn"
    ):
        load_pretrained("xrecnn")
    targets[0].unlink()
    with pytest.raises(XbdcnnError, match=r"xbdcnn\.safetensors: .* reinstall .* from dncnn$"):
        load_pretrained("xbdcnn")


def test_level_errors_belong_to_the_bytes_of_a_weight_file(tmp_path, monkeypatch, weights):
    monkeypatch.setattr(weight_files, "WEIGHTS", tmp_path)
    monkeypatch.setattr(weight_files, "CHECKSUMS", tmp_path / "checksums.json")
    monkeypatch.setattr(weight_files, "LEVEL_ERRORS", tmp_path / "level_errors.json")
    first, second = weights[0], tmp_path / "second.safetensors"
    save_weights(build_network("xbdcnn", SMALL, seed=9), second, "xbdcnn", SMALL)
    target = ship.ship(first, "xbdcnn")
    assert level_error(target) is None
    ship.record_level_error("xbdcnn", {"eta": 0.5, "sigma": 6.0})
    assert level_error(target) == level_error(first) == {"eta": 0.5, "sigma": 6.0}
    ship.ship(second, "xbdcnn")
    assert level_error(target) is None
    ship.record_level_error("xbdcnn", {"eta": 0.4, "sigma": 5.0})
    assert level_error(first) is None and level_error(second)["eta"] == 0.4


def test_every_shipped_weight_file_loads_and_records_its_provenance():
    names = zoo.shipped_names()
    assert {"xbdcnn", "dncnn", "xrecnn", "xbdcnn-as-written"} <= set(names)
    for name in names:
        network, header = load_network(shipped_path(name))
        assert header["name"] == name
        assert header["architecture"] == zoo.find_entry(name).architecture
        assert {"budget", "scores", "provenance"} <= set(header)
        assert header["provenance"]["data_sha256"]
        assert json.dumps(header)
        told = [torch.zeros(1, 3)] if header["architecture"] == "successor" else []
        assert network(torch.rand(1, 1, 16, 16), *told).image.shape == (1, 1, 16, 16)


def test_shipped_weights_take_less_than_45_megabytes():
    files = [shipped_path(name) for name in (*zoo.shipped_names(), weight_files.ESTIMATOR)]
    assert sum(file.stat().st_size for file in files) < 45e6
    assert {file.name for file in files} == set(weight_files.checksums())
