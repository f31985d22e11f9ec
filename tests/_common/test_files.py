"""Files are written atomically; provenance names commit and versions."""

from __future__ import annotations

import subprocess

import pytest

from xbdcnn._common import provenance
from xbdcnn._common.files import atomic_path, sha256_of, write_json, write_text


def test_atomic_path_replaces_only_on_success(tmp_path):
    target = tmp_path / "new" / "table.csv"
    with atomic_path(target) as temporary:
        temporary.write_text("first")
        assert temporary.suffix == ".csv" and not target.exists()
    assert target.read_text() == "first"
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "first"
    assert list(target.parent.iterdir()) == [target]


def test_text_and_json_are_written_as_utf8(tmp_path):
    write_text("σ = 5\n", tmp_path / "new" / "text.md")
    assert (tmp_path / "new" / "text.md").read_bytes() == "σ = 5\n".encode()
    write_json({"sigma": 5}, tmp_path / "facts.json")
    assert (tmp_path / "facts.json").read_text() == '{\n  "sigma": 5\n}\n'


def test_sha256_of_known_content(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_provenance_holds_facts_versions_and_time():
    facts = provenance.provenance(profile="smoke", seed=3)
    assert facts["profile"] == "smoke" and facts["seed"] == 3
    assert {"python", "torch", "numpy", "xbdcnn"} <= set(facts["versions"])
    assert facts["time"].endswith("+00:00")


def test_commit_is_unknown_outside_a_clone(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "xbdcnn")
    assert provenance.commit() == "unknown"
    (tmp_path / ".git").write_text("not a repository")
    assert provenance.commit() == "unknown"


def test_commit_marks_uncommitted_changes(tmp_path, monkeypatch):
    def git(*command):
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(
            ["git", "-C", tmp_path, *identity, *command], check=True, capture_output=True
        )

    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "xbdcnn")
    clean = provenance.commit()
    assert len(clean) == 12
    (tmp_path / "file").write_text("2")
    assert provenance.commit() == f"{clean}-dirty"
