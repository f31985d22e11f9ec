"""Text of the source is in the derived object byte for byte, or it is left away."""

from __future__ import annotations

import dicoms
import numpy as np
import pydicom
import pytest
from derived import Brighter

from xbdcnn.cli import batch
from xbdcnn.data import open_radiograph, save_radiograph

TEXTS = {
    "katakana of ISO_IR 13": ("ISO_IR 13", b"\xb6\xde\xdd\xbf\xb8\x5c\x7e"),
    "Latin-1 labelled UTF-8": ("ISO_IR 192", "Röntgen".encode("latin1")),
    "Latin-1 without label": (None, "Röntgen".encode("latin1")),
    "Latin-1 with an unknown label": ("LATIN1", "Röntgen".encode("latin1")),
    "UTF-8": ("ISO_IR 192", "胸部正面".encode()),
    "UTF-8 labelled Latin-1": ("ISO_IR 100", "胸部".encode()),
    "kanji of ISO 2022": (["", "ISO 2022 IR 87"], b"\x1b$B7;\x1b(B"),
    "GB18030": ("GB18030", "胸部".encode("gb18030")),
    "two values": ("ISO_IR 100", b"chest\\PA"),
    "ASCII": ("ISO_IR 100", b"Chest PA"),
}


def derived_bytes(tmp_path, label: object, text: bytes, implicit: bool = False) -> bytes:
    header = dicoms.radiograph("CR")
    header.add_new("SeriesDescription", "LO", text)
    header.add_new("StudyDescription", "LO", text)
    del header.SpecificCharacterSet
    if label:
        header.SpecificCharacterSet = label
    if implicit:
        header.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    source = dicoms.write(tmp_path / "in.dcm", header)
    batch.denoise_file(Brighter(), source, tmp_path / "out.dcm", overwrite=True)
    return (tmp_path / "out.dcm").read_bytes()


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("name", TEXTS)
def test_bytes_are_kept(tmp_path, name, implicit):
    label, text = TEXTS[name]
    content = derived_bytes(tmp_path, label, text, implicit)
    assert b"Denoised: " + text in content
    assert content.count(text) == 2


@pytest.mark.parametrize("text", ["胸".encode() * 20, b"\x1b$B" + b"7;" * 30 + b"\x1b(B"])
def test_text_that_cannot_be_shortened_is_left_away(tmp_path, text):
    derived_bytes(tmp_path, "ISO_IR 192", text)
    assert pydicom.dcmread(tmp_path / "out.dcm").SeriesDescription == "Denoised"


def test_long_ascii_is_shortened(tmp_path):
    derived_bytes(tmp_path, "ISO_IR 100", b"a" * 64)
    assert pydicom.dcmread(tmp_path / "out.dcm").SeriesDescription == "Denoised: " + "a" * 54


def test_own_text_is_ascii(tmp_path):
    path = dicoms.write(
        tmp_path / "in.dcm", dicoms.radiograph("CR", SpecificCharacterSet="ISO_IR 6")
    )
    radiograph = open_radiograph(path)
    save_radiograph(radiograph, radiograph.stored, tmp_path / "out.dcm", "network größer")
    assert pydicom.dcmread(tmp_path / "out.dcm").DerivationDescription == "network gr??er"


def test_elements_that_cannot_be_written_are_named_and_left_away(tmp_path):
    path = dicoms.write(tmp_path / "in.dcm", dicoms.radiograph("CR"))
    radiograph = open_radiograph(path)
    assert radiograph.header is not None
    radiograph.header.add_new(0x00020010, "UI", "1.2.3")
    radiograph.header.add_new(0x00091001, "FD", "no number")
    save_radiograph(radiograph, radiograph.stored, tmp_path / "out.dcm", "Restored.")
    derived = pydicom.dcmread(tmp_path / "out.dcm")
    assert derived.DerivationDescription == "Restored. Left away: (0002,0010), (0009,1001)."
    assert 0x00091001 not in derived and derived.PatientID == radiograph.header.PatientID
    np.testing.assert_array_equal(derived.pixel_array, radiograph.stored)
