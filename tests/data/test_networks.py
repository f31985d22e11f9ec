from __future__ import annotations

import csv
from io import BytesIO

import pytest
import torch
from file_server import serving
from safetensors import safe_open
from safetensors.torch import load_file

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.data.exposures import read_registry, source_of
from xbdcnn.data.networks import DNCNN, REGISTRY, fetch_networks, networks_folder

STATE = {"model.0.weight": torch.arange(18.0).reshape(2, 1, 3, 3), "model.0.bias": torch.ones(2)}
CHECKPOINT = DNCNN.replace(".safetensors", ".pth")


@pytest.fixture
def files() -> dict[str, bytes]:
    """Small files by the name in the folder."""
    torch.save(STATE, buffer := BytesIO())
    return {CHECKPOINT: buffer.getvalue(), "LICENSE-KAIR.txt": b"MIT License\n"}


@pytest.fixture
def registry(files, tmp_path):
    """The packaged registry with the SHA-256 of the small files."""
    rows = read_registry(REGISTRY)
    for row in rows:
        (small := tmp_path / "small").write_bytes(files[row["file"]])
        row["sha256"] = sha256_of(small)
    path = tmp_path / "registry.csv"
    with open(path, "w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    return path


@pytest.fixture
def server(files):
    rows = read_registry(REGISTRY)
    remote = {row["path"].rsplit("/", 1)[-1]: files[row["file"]] for row in rows}
    with serving(remote, "raw") as running:
        yield running


@pytest.fixture
def fetch(tmp_path, server, registry):
    return lambda: fetch_networks(tmp_path / "new", server.url, False, registry, retries=0)


def test_fetch_converts_the_checkpoint_and_keeps_the_licence(fetch, server, files, capsys):
    folder = fetch()
    assert {path.name for path in folder.iterdir()} == {*files, DNCNN}
    assert server.paths == [f"/raw/{source_of(row)}" for row in read_registry(REGISTRY)]
    converted = load_file(folder / DNCNN)
    assert converted.keys() == STATE.keys()
    assert all(torch.equal(converted[name], STATE[name]) for name in STATE)
    with safe_open(folder / DNCNN, framework="pt") as stream:
        assert stream.metadata() == {"source_sha256": sha256_of(folder / CHECKPOINT)}
    printed = capsys.readouterr().out
    assert "MIT" in printed and "Kai Zhang" in printed and "26(7), 2017" in printed


def test_complete_files_need_no_network_and_a_damaged_conversion_is_mended(fetch, server):
    folder = fetch()
    complete = (folder / DNCNN).read_bytes()
    (folder / DNCNN).write_bytes(b"damaged")
    server.close()
    server.requests.clear()
    assert (fetch() / DNCNN).read_bytes() == complete and not server.requests


def test_wrong_bytes_are_neither_kept_nor_converted(fetch, server, tmp_path):
    server.files["dncnn_25.pth"] = b"something else"
    with pytest.raises(XbdcnnError, match=r"0 of 2 files .*failed.*run it again to resume"):
        fetch()
    assert list((tmp_path / "new").iterdir()) == []


def test_default_folder_is_in_the_cache(server, registry, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    fetched = fetch_networks(base_url=server.url, registry=registry, retries=0)
    assert fetched == networks_folder() == tmp_path / "xbdcnn" / "networks"
    assert "2/2" in capsys.readouterr().err


def test_registry_names_commit_and_digest():
    rows = read_registry(REGISTRY)
    assert {row["repository"] for row in rows} == {"cszn/KAIR"}
    assert all(len(bytes.fromhex(row["commit"])) == 20 for row in rows)
    assert all(len(bytes.fromhex(row["sha256"])) == 32 for row in rows)
    assert CHECKPOINT in {row["file"] for row in rows}
