"""Files of the user on the live page: what is read, and what is refused."""

from __future__ import annotations

from typing import Any

import dicoms
import numpy as np
import pytest
from live_pages import (
    levels,
    own_file,
    radiograph,
    scores,
    slide,
    slot,
    wait_for_restoration,
)
from PIL import Image
from playwright.sync_api import Page, expect
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEG2000Lossless

from xbdcnn.data.builtin import builtin_path
from xbdcnn.data.files.radiograph import load_radiograph

pytestmark = pytest.mark.slow


def test_an_own_picture_is_restored_as_it_is(page, tmp_path):
    grey = np.random.default_rng(0).integers(60, 180, (384, 500), np.uint8)
    Image.fromarray(grey).save(tmp_path / "own.png")
    own_file(page, tmp_path / "own.png")
    expect(slot(page, "caption-noisy")).to_contain_text("as it is")
    wait_for_restoration(page)
    assert np.array_equal(np.rint(255 * levels(page, "noisy")), grey[:, 58:442])
    expect(slot(page, "scores")).to_have_text("No scores without a clean reference.")
    page.get_by_label("as it is").uncheck()
    wait_for_restoration(page)
    assert np.array_equal(np.rint(255 * levels(page, "clean")), grey[:, 58:442])
    assert scores(page)[0] < 30
    page.wait_for_function("location.hash.includes('seed')")
    assert "own" not in page.url and "image" not in page.url


def test_colours_are_averaged_and_jpeg_is_read(wide, tmp_path):
    colour = np.zeros((40, 60, 3), np.uint8)
    colour[:] = (30, 60, 210)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    Image.fromarray(colour[..., 1]).save(tmp_path / "own.jpeg")
    for name, grey in (("colour.png", 100), ("own.jpeg", 60)):
        own_file(wide, tmp_path / name)
        expect(radiograph(wide)).to_have_value(f"own: {name}, 60 × 40")
        wait_for_restoration(wide)
        np.testing.assert_allclose(255 * levels(wide, "noisy"), np.full((40, 60), grey), atol=1)


def test_a_large_picture_is_reduced(wide, tmp_path):
    Image.new("L", (5000, 400), 77).save(tmp_path / "large.png")
    own_file(wide, tmp_path / "large.png")
    expect(radiograph(wide)).to_have_value("own: large.png, 4096 × 328")


def test_what_cannot_be_read_is_refused_in_one_line(wide, tmp_path):
    (tmp_path / "<b>text.png").write_text("no picture")
    Image.new("L", (10, 300)).save(tmp_path / "narrow.png")
    before = levels(wide, "noisy")
    for name, message in (
        (
            "<b>text.png",
            "<b>text.png is not a picture that can be read; choose a PNG, JPEG or DICOM",
        ),
        ("narrow.png", "narrow.png has 10 × 300 pixels; choose a less narrow picture"),
    ):
        own_file(wide, tmp_path / name)
        expect(slot(wide, "message")).to_contain_text(message)
    assert np.array_equal(levels(wide, "noisy"), before)
    slide(wide, "σ", "End")
    expect(slot(wide, "message")).to_have_text("")


DECODE = """async (bytes) => {
    const { readDicom } = await import('/dicom.js');
    const { height, width, grey } = readDicom(new DataView(Uint8Array.from(bytes).buffer));
    return [height, width, Array.from(grey)];
}"""


def decoded(page: Page, path: Any) -> np.ndarray:
    """Grey levels that the script reads from a DICOM file."""
    height, width, values = page.evaluate(DECODE, list(path.read_bytes()))
    return np.reshape(values, (height, width))


HEADERS = {
    "no window": ("CR", {}),
    "inverted": ("CR", {"kind": "MONOCHROME1"}),
    "16 bits": ("CR", {"stored": dicoms.ramp(16), "bits": 16}),
    "8 bits": ("DX", {"stored": dicoms.ramp(8), "bits": 8}),
    "window": ("DX", {"WindowCenter": [2000, 1], "WindowWidth": [900, 2]}),
    "exact window": ("DX", {"VOILUTFunction": "LINEAR_EXACT", "WindowCenter": 1500.5}),
    "rescale": ("DX", {"RescaleSlope": -2, "RescaleIntercept": 4095, "WindowCenter": 100}),
    "rescale without a window": ("CR", {"RescaleSlope": -1, "RescaleIntercept": 4095}),
    "signed": ("CR", {"stored": dicoms.ramp().astype(np.int16) - 2048}),
    "padding": ("CR", {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 1400}),
    "inverse shape": ("DX", {"kind": "MONOCHROME1"}),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
def test_dicom_is_read_as_in_python(scripts, tmp_path, name, syntax):
    modality, tags = HEADERS[name]
    header = dicoms.radiograph(modality, **tags)
    if syntax:
        header.file_meta.TransferSyntaxUID = syntax
    path = dicoms.write(tmp_path / "image.dcm", header)
    np.testing.assert_allclose(decoded(scripts, path), load_radiograph(path), atol=1e-5)


@pytest.mark.parametrize("implicit", [False, True])
def test_sequences_of_undefined_length_are_skipped(scripts, tmp_path, implicit):
    header = dicoms.radiograph("DX")
    inner = dicoms.code_sequence("1", "SCT", "inner")
    header.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = inner
    for element in (header["AnatomicRegionSequence"], header.AnatomicRegionSequence[0][0x00082220]):
        element.is_undefined_length = True
        element.value[0].is_undefined_length_sequence_item = True
    if implicit:
        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    path = dicoms.write(tmp_path / "image.dcm", header)
    assert path.read_bytes().count(b"\xfe\xff\xdd\xe0") == 2, "delimiters of two sequences"
    np.testing.assert_allclose(decoded(scripts, path), load_radiograph(path), atol=1e-5)


REFUSED = {
    "compressed or big endian": {"syntax": JPEG2000Lossless},
    "big endian DICOM file": {"syntax": ExplicitVRBigEndian},
    "not a grey DICOM image": {"PhotometricInterpretation": "PALETTE COLOR"},
    "several frames": {"NumberOfFrames": 2},
    "lookup table": {"VOILUTFunction": "SIGMOID"},
    "damaged DICOM file": {"Rows": 2000},
    "empty window": {"WindowWidth": 0.5},
}


@pytest.mark.parametrize("message", REFUSED)
def test_other_dicom_files_are_refused(scripts, tmp_path, message):
    header = dicoms.radiograph("DX")
    for name, value in REFUSED[message].items():
        setattr(header, name, value) if name != "syntax" else None
    path = dicoms.write(tmp_path / "image.dcm", header)
    if syntax := REFUSED[message].get("syntax"):
        content = path.read_bytes()
        old = header.file_meta.TransferSyntaxUID.encode()
        path.write_bytes(
            content.replace(old, syntax.encode()[: len(old)].ljust(len(old), b"\0"), 1)
        )
    with pytest.raises(Exception, match=message):
        decoded(scripts, path)


def test_a_dicom_file_that_ends_early_is_refused(scripts, tmp_path):
    path = dicoms.write(tmp_path / "image.dcm", dicoms.radiograph("DX"))
    content = path.read_bytes()
    for size in (140, 400, len(content) - 100):
        path.write_bytes(content[:size])
        with pytest.raises(Exception, match="DICOM"):
            decoded(scripts, path)


def test_the_built_in_dicom_file_is_restored(wide):
    own_file(wide, builtin_path())
    expect(radiograph(wide)).to_have_value("own: RG1_UNCR.dcm, 1841 × 1955")
    wait_for_restoration(wide)
    image = load_radiograph(builtin_path())
    top, left = ((length - 384) // 2 for length in image.shape)
    np.testing.assert_allclose(
        levels(wide, "noisy"), image[top : top + 384, left : left + 384], atol=0.51 / 255
    )
