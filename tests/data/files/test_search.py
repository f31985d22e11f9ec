"""Which files of a folder, tree or pattern are radiographs, for commands and data folders alike."""

from __future__ import annotations

import os
from pathlib import Path

import dicoms
import numpy as np
import pytest
from PIL import Image

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import index_folder, load_radiograph
from xbdcnn.data.files.search import common_folder, find_inputs, list_folder

HIDDEN = b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(100)
"""First bytes of the files that macOS puts beside others."""


def put(path: Path, grey: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".png", ".jpg", ".tif"):
        Image.fromarray(np.full((16, 16), grey, np.uint8)).save(path)
    else:
        dicoms.write(path, dicoms.radiograph("CR"))
    return path


@pytest.fixture
def disc(tmp_path) -> Path:
    """A DICOM disc with two patients, and what else discs and archives contain."""
    root = tmp_path / "disc"
    for name in ("PAT0/STU0/SER0/IM0", "PAT0/STU0/SER1/IM0", "PAT1/STU0/SER0/IM0", "DICOMDIR"):
        put(root / name)
    (root / "README.TXT").write_text("a disc")
    (root / "PAT0" / "._STU0").write_bytes(HIDDEN)
    put(root / ".Trash" / "old.png")
    put(root / "__MACOSX" / "scan.png").rename(root / "__MACOSX" / "._scan.png")
    return root


def names(paths, root: Path) -> list[str]:
    return [str(Path(path).relative_to(root)) for path in paths]


def test_rules_of_one_folder(tmp_path):
    for name in ("a.png", "b.JPG", "c.dcm", "d.dicom", "1.2.840.113", "IM000000", "DICOMDIR"):
        put(tmp_path / name.lower()).rename(tmp_path / name)
    (tmp_path / "._a.png").write_bytes(HIDDEN)
    (tmp_path / ".hidden.png").touch()
    (tmp_path / "damaged.dicom").write_bytes(b"text")
    (tmp_path / "notes.txt").write_text("notes")
    os.mkfifo(tmp_path / "pipe.png")
    found = list_folder(tmp_path)
    expected = ["1.2.840.113", "IM000000", "a.png", "b.JPG", "c.dcm", "d.dicom", "damaged.dicom"]
    assert names(found.radiographs, tmp_path) == expected
    assert names(found.others, tmp_path) == ["DICOMDIR", "notes.txt"]
    # A data folder has the same radiographs.
    assert index_folder(tmp_path)["image"].tolist() == expected


def test_subfolders_are_named_or_searched(disc):
    with pytest.raises(XbdcnnError, match=r"in its subfolders \(PAT0, PAT1\); .* --recursive"):
        find_inputs([disc])
    found = find_inputs([disc], recursive=True)
    assert names(found.files, disc) == [
        "PAT0/STU0/SER0/IM0",
        "PAT0/STU0/SER1/IM0",
        "PAT1/STU0/SER0/IM0",
    ]
    assert found.skipped == 2 and found.unsearched == []
    put(disc / "key.png")
    found = find_inputs([disc])
    assert names(found.files, disc) == ["key.png"]
    assert names(found.unsearched, disc) == ["PAT0", "PAT1"]


def test_an_empty_tree_is_refused(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for recursive in (False, True):
        with pytest.raises(XbdcnnError, match="no PNG, TIFF, JPEG or DICOM file"):
            find_inputs([tmp_path], recursive=recursive)


def test_the_output_folder_is_not_an_input(disc):
    put(disc / "PAT0" / "out" / "PAT0" / "IM0")
    out = disc / "PAT0" / "out"
    found = find_inputs([disc], out, recursive=True)
    assert len(found.files) == 3 and not any("out" in path.parts for path in found.files)
    put(disc / "key.png")
    put(disc / "results" / "key.png")
    assert disc / "results" not in find_inputs([disc], disc / "results").unsearched
    found = find_inputs([disc / "**" / "IM0"], out, recursive=True)
    assert len(found.files) == 3 and found.skipped == 1


def test_links_are_followed_once(disc):
    (disc / "PAT0" / "loop").symlink_to(disc, target_is_directory=True)
    (disc / "PAT1" / "self").symlink_to(disc / "PAT1" / "self")
    outside = put(disc.parent / "outside" / "far.png")
    (disc / "linked").symlink_to(outside.parent, target_is_directory=True)
    (disc / "twin.png").symlink_to(outside)
    files = names(find_inputs([disc], recursive=True).files, disc)
    assert len(files) == 5 and "twin.png" in files and "PAT1/self" in files
    assert "linked/far.png" not in files  # the same file as twin.png


def test_absent_files_behind_links_are_found_and_explained(tmp_path):
    put(tmp_path / "here.png")
    for name in ("scan.dcm", "1.2.3.4", "IM0", "notes.txt", "DICOMDIR"):
        (tmp_path / name).symlink_to(tmp_path / ".git" / "annex" / name)
    found = list_folder(tmp_path)
    assert names(found.radiographs, tmp_path) == ["1.2.3.4", "IM0", "here.png", "scan.dcm"]
    assert names(found.others, tmp_path) == ["DICOMDIR", "notes.txt"]
    with pytest.raises(XbdcnnError, match=r"scan\.dcm: a link to no such file; .*git annex get"):
        load_radiograph(tmp_path / "scan.dcm")
    with pytest.warns(UserWarning, match="3 of 4 listed images are absent"):
        assert index_folder(tmp_path)["image"].tolist() == ["here.png"]


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"/annex/objects/MD5E-s123--0a1b.png\n", "git annex get"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0a1b\n", "git lfs pull"),
    ],
)
def test_pointer_files_are_explained(tmp_path, content, remedy):
    for name in ("IM0", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(content)
    assert names(list_folder(tmp_path).radiographs, tmp_path) == ["IM0", "a.png"]
    with pytest.raises(XbdcnnError, match=rf"a\.png: a pointer .*{remedy}"):
        load_radiograph(tmp_path / "a.png")


def test_patterns_follow_the_same_rules(disc):
    found = find_inputs([disc / "**" / "*"])
    assert len(found.files) == 3 and found.skipped == 2
    with pytest.raises(XbdcnnError, match=r"matches folders only; .* --recursive"):
        find_inputs([disc / "PAT*"])
    assert len(find_inputs([disc / "PAT*"], recursive=True).files) == 3
    # A pattern that matches no radiograph keeps its files, and reading them reports why.
    assert find_inputs([disc / "*.TXT"]).files == [disc / "README.TXT"]


def test_common_folder(tmp_path, monkeypatch):
    one, other = put(tmp_path / "a" / "x" / "1.png"), put(tmp_path / "a" / "y" / "2.png")
    assert common_folder([tmp_path / "a"]) == tmp_path / "a"
    assert common_folder([one]) == one.parent
    assert (
        common_folder([one, other]) == common_folder([one.parent, other.parent]) == tmp_path / "a"
    )
    assert common_folder([tmp_path / "a" / "*" / "*.png"]) == tmp_path / "a"
    assert common_folder([tmp_path / "a" / "[xy]*"]) == tmp_path / "a"
    monkeypatch.chdir(tmp_path / "a")
    assert common_folder([Path("*/*.png")]) == common_folder([Path(".")]) == tmp_path / "a"
    assert common_folder([Path("../a/x")]) == tmp_path / "a" / "x"
