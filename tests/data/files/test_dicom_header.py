"""Facts of a DICOM header that are often stored wrongly are read right, or named with a remedy."""

from __future__ import annotations

import dicoms
import numpy as np
import pydicom
import pytest
from derived import FULL_RANGE, Brighter, refused, restored
from pydicom import uid
from pydicom.dataelem import RawDataElement

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli import batch
from xbdcnn.data import load_radiograph, open_radiograph

RAMP = dicoms.ramp(12)
SIGNED = (RAMP.astype(np.int16) - 2048).astype(np.int16)


def assert_shown(path, expected: np.ndarray, tolerance: float = 1e-3) -> None:
    """Compare both ways of display, the curve and the affine window, with values in [0, 1]."""
    np.testing.assert_allclose(load_radiograph(path), expected, atol=tolerance)
    np.testing.assert_allclose(open_radiograph(path).unit, expected, atol=tolerance)


def table(descriptor: list[int], data: object, kind: str = "OW") -> pydicom.Sequence:
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", kind, data)
    return pydicom.Sequence([item])


# --- lookup tables --------------------------------------------------------------------------

LINE = np.rint(np.arange(4096) / 4095 * 255)
WORDS = LINE.astype("<u2")
PACKED = LINE.astype("u1")
EIGHT_BIT_TABLES = {
    "packed": table([4096, 0, 8], PACKED.tobytes()),
    "packed in US": table([4096, 0, 8], PACKED.view("<u2").tolist(), "US"),
    "one byte each": table([4096, 0, 8], PACKED.tobytes(), "OB"),
    "words": table([4096, 0, 8], WORDS.tobytes()),
    "words in US": table([4096, 0, 8], WORDS.tolist(), "US"),
    "words of more than 8 bits": table([4096, 0, 8], np.arange(4096, dtype="<u2").tobytes()),
}


@pytest.mark.parametrize("name", EIGHT_BIT_TABLES)
@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_entries_of_8_bits(tmp_path, kind, name):
    header = dicoms.radiograph("CR", RAMP, kind=kind, VOILUTSequence=EIGHT_BIT_TABLES[name])
    path = dicoms.write(tmp_path / "a.dcm", header)
    shown = RAMP / 4095 if kind == "MONOCHROME2" else 1 - RAMP / 4095
    assert_shown(path, shown, 0.51 / 255)
    limits = (0, 4095) if kind == "MONOCHROME2" else (4095, 0)
    window = open_radiograph(path).window
    assert (window.black, window.white) == limits  # the whole line, not where its entries change


def test_packed_entries_of_an_odd_number(tmp_path):
    values = np.rint(np.arange(255) / 254 * 255).astype(np.uint8)
    tags = {"VOILUTSequence": table([255, 0, 8], values.tobytes() + b"\0")}
    header = dicoms.radiograph("CR", dicoms.ramp(8), bits=8, **tags)
    path = dicoms.write(tmp_path / "a.dcm", header)
    assert_shown(path, (dicoms.ramp(8) / 254).clip(0, 1), 1 / 254)


def test_packed_entries_in_big_endian(tmp_path):
    swapped = PACKED.view("<u2").astype(">u2").tobytes()
    header = dicoms.radiograph("CR", RAMP, VOILUTSequence=table([4096, 0, 8], swapped))
    header.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    header.add_new("PixelData", "OW", RAMP.astype(">u2").tobytes())
    assert_shown(dicoms.write(tmp_path / "a.dcm", header), RAMP / 4095, 0.51 / 255)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_modality_table_of_any_bits(tmp_path, bits):
    values = np.arange(4096) * (2**bits - 1) // 4095
    header = dicoms.radiograph("CR", RAMP, ModalityLUTSequence=table(
        [4096, 0, bits], values.astype("<u2").tobytes()),
        WindowCenter=2 ** (bits - 1), WindowWidth=2**bits,
    )  # fmt: skip
    path = dicoms.write(tmp_path / "a.dcm", header)
    assert_shown(path, values[RAMP] / (2**bits - 1), 1.01 / 255)


@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
def test_first_value_of_signed_pixels_written_unsigned(tmp_path, sequence):
    data = np.arange(4096, dtype="<u2").tobytes()
    tags = {sequence: table([4096, 2**16 - 2048, 16], data)}
    header = dicoms.radiograph("CR", SIGNED, bits=16, **tags)
    assert_shown(dicoms.write(tmp_path / "a.dcm", header), RAMP / 4095)


@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
@pytest.mark.parametrize(
    ("item", "attribute"),
    [
        (table([4096, 0, 12], bytes(100)), "LUTData (0028,3006)"),
        (table([4096, 0, 8], bytes(4000)), "LUTData (0028,3006)"),
        (table([4096, 0], bytes(8192)), "LUTDescriptor (0028,3002)"),
        (table([4096, 0, 12], bytes(8192)), ""),
    ],
)
def test_invalid_tables_are_named_and_a_window_helps(tmp_path, sequence, item, attribute):
    path = dicoms.write(tmp_path / "a.dcm", dicoms.radiograph("CR", RAMP, **{sequence: item}))
    line = refused(path)
    number = {"V": "3010", "M": "3000"}[sequence[0]]
    assert attribute in line and f"{sequence} (0028,{number})" in line
    assert "give --window BLACK WHITE" in line and "damaged" not in line
    assert batch.denoise_file(Brighter(), path, tmp_path / "b.dcm", window=(0, 4095))


# --- padding --------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("value", [2**16 - 2000, -2000])
def test_padding_of_signed_pixels_written_unsigned(tmp_path, bits, value):
    stored = SIGNED.copy()
    stored[:, :12] = -2000
    header = dicoms.radiograph("CR", stored, bits=bits)
    header.add_new("PixelPaddingValue", "US" if value > 0 else "SS", value)
    source, derived = restored(tmp_path, header)
    assert open_radiograph(source).padding == (-2000, -2000)
    assert (derived.pixel_array[:, :12] == -2000).all()
    assert derived.PixelPaddingValue == -2000 and derived["PixelPaddingValue"].VR == "SS"
    assert ("PixelPaddingValue read as signed" in derived.DerivationDescription) == (value > 0)
    assert (derived.pixel_array[:, 12:] > stored[:, 12:]).mean() > 0.9


def test_padding_of_unsigned_pixels_written_signed(tmp_path):
    header = dicoms.radiograph("CR", dicoms.ramp(16), bits=16)
    header.add_new("PixelPaddingValue", "SS", -1)
    assert open_radiograph(dicoms.write(tmp_path / "a.dcm", header)).padding == (65535, 65535)


# --- windows --------------------------------------------------------------------------------


def with_text(path, **values: bytes):
    """Write an object whose decimal attributes have any bytes."""
    header = dicoms.radiograph("CR", RAMP, RescaleSlope=1, RescaleIntercept=0, **FULL_RANGE)
    for name, value in values.items():
        tag, value = pydicom.tag.Tag(name), value + b" " * (len(value) % 2)
        header[tag] = RawDataElement(tag, "DS", len(value), value, 0, False, True)
    return dicoms.write(path, header)


def test_decimal_comma(tmp_path):
    path = with_text(tmp_path / "a.dcm", WindowCenter=b"2047,5\\1", WindowWidth=b"4096,0\\2",
                     RescaleSlope=b"0,5", RescaleIntercept=b"-0,25")  # fmt: skip
    assert_shown(path, (RAMP * 0.5 - 0.25 + 0.5) / 4095)
    assert "decimal comma of WindowCenter and" in str(open_radiograph(path).window)
    batch.denoise_file(Brighter(), path, tmp_path / "out.dcm")
    derived = pydicom.dcmread(tmp_path / "out.dcm")
    assert derived.WindowCenter == [2047.5, 1] and derived.RescaleSlope == 0.5


@pytest.mark.parametrize("text", [b"NaN", b"inf", b"-inf", b"wide", b"1,2,3", b"\\5"])
@pytest.mark.parametrize("name", ["WindowCenter", "WindowWidth", "RescaleSlope"])
def test_what_is_no_number_is_named_and_a_window_helps(tmp_path, name, text):
    path = with_text(tmp_path / "a.dcm", **{name: text})
    line = refused(path)
    assert line.startswith(f"{name} (0028,") and line.endswith("; give --window BLACK WHITE")
    assert batch.denoise_file(Brighter(), path, tmp_path / "b.dcm", window=(0, 4095))


@pytest.mark.parametrize("width", [0.04095, 1e-3, 1.0])
def test_a_window_below_1_of_finely_rescaled_values(tmp_path, width):
    slope = width / 4095
    tags = {"RescaleSlope": f"{slope:.10g}", "RescaleIntercept": 0}
    tags |= {"WindowCenter": width / 2, "WindowWidth": width}
    source, derived = restored(tmp_path, dicoms.radiograph("CR", RAMP, **tags))
    assert_shown(source, RAMP / 4095)
    assert derived.VOILUTFunction == "LINEAR_EXACT"
    change = load_radiograph(tmp_path / "out" / "in.dcm") - load_radiograph(source)
    assert np.median(change) == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_presentation_shape_inverse_inverts_once(tmp_path, kind):
    header = dicoms.radiograph("CR", RAMP, kind=kind, PresentationLUTShape="INVERSE", **FULL_RANGE)
    source, derived = restored(tmp_path, header)
    assert_shown(source, 1 - RAMP / 4095)
    assert np.median(derived.pixel_array.astype(int) - RAMP) == pytest.approx(-409, abs=1)
    header.VOILUTSequence = table([4096, 0, 16], np.arange(4096, dtype="<u2").tobytes())
    assert_shown(dicoms.write(tmp_path / "lut.dcm", header), 1 - RAMP / 4095)


# --- sign of JPEG 2000 ----------------------------------------------------------------------

MIDDLE = dicoms.ramp(12, (64, 80))  # the encoder needs 32 pixels per resolution level
IN_UNSIGNED, IN_SIGNED = {"WindowCenter": 2048}, {"WindowCenter": 0}
SIGN_CASES = {
    "bits kept": (MIDDLE, 0, (MIDDLE ^ 2048).astype(np.int16) - 2048, IN_UNSIGNED),
    "shifted to signed": (MIDDLE, 0, MIDDLE.astype(np.int16) - 2048, IN_UNSIGNED),
    "shifted to unsigned": (MIDDLE.astype(np.int16) - 2048, 1, MIDDLE, IN_SIGNED),
    "header wrong": (MIDDLE, 1, MIDDLE, IN_UNSIGNED),
    "header wrong, no window": (MIDDLE, 1, MIDDLE, {}),
}


@pytest.mark.parametrize("name", SIGN_CASES)
def test_sign_of_the_stream_against_the_header(tmp_path, name):
    """Each case: the pixels meant, PixelRepresentation, the encoded pixels, the window."""
    meant, representation, encoded, tags = SIGN_CASES[name]
    tags = tags | {"WindowWidth": 2400} if tags else tags
    header = dicoms.radiograph("CR", encoded.astype(encoded.dtype), **tags)
    header.compress(uid.JPEG2000Lossless, generate_instance_uid=False)
    header.PixelRepresentation = representation
    source, derived = restored(tmp_path, header)
    radiograph = open_radiograph(source)
    np.testing.assert_array_equal(radiograph.stored, meant)
    assert "PixelRepresentation (0028,0103) contradicts" in str(radiograph.window)
    assert (derived.pixel_array >= meant).all()  # Brighter
    assert derived.PixelRepresentation == int(meant.min() < 0)


# --- the file -------------------------------------------------------------------------------


UNCOMPRESSED = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian)
ENDS = {
    "1 zero": bytes(1),
    "7 zeros": bytes(7),
    "8 zeros": bytes(8),
    "512 zeros": bytes(512),
    "ones": b"\xff" * 64,
    "spaces": b" " * 65,
    "text": b"\r\nthe end\r\n" * 9,
}


@pytest.mark.parametrize("syntax", [*UNCOMPRESSED, uid.RLELossless])
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_bytes_after_the_end(tmp_path, end, syntax):
    header = dicoms.radiograph("CR", RAMP, **FULL_RANGE)
    if syntax == uid.RLELossless:
        header.compress(syntax, generate_instance_uid=False)
    header.file_meta.TransferSyntaxUID = syntax
    path = dicoms.write(tmp_path / "a.dcm", header)
    path.write_bytes(path.read_bytes() + end)
    line = batch.denoise_file(Brighter(), path, tmp_path / "out.dcm").line
    assert ("bytes after the end" in line) == (len(end) >= 8)
    derived = pydicom.dcmread(tmp_path / "out.dcm")
    assert np.median(derived.pixel_array.astype(int) - RAMP) == pytest.approx(409, abs=1)
    assert all(tag.group >= 8 for tag in derived.keys())  # noqa: SIM118


def test_elements_behind_the_pixels_are_kept(tmp_path):
    header = dicoms.radiograph("CR", RAMP)
    header.private_block(0x7FE1, "MAKER", create=True).add_new(1, "LO", "kept")
    assert restored(tmp_path, header)[1].private_block(0x7FE1, "MAKER")[1].value == "kept"


def test_deflated_by_its_own_file_meta_only(tmp_path):
    deflated = str(uid.DeflatedExplicitVRLittleEndian)
    header = dicoms.radiograph("CR", RAMP, StudyDescription=deflated, **FULL_RANGE)
    plain = dicoms.write(tmp_path / "plain.dcm", header)
    header.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    source, derived = restored(tmp_path, header)
    assert source.stat().st_size < plain.stat().st_size
    for path in (plain, source):
        assert_shown(path, RAMP / 4095)
    assert derived.StudyDescription == deflated


def test_a_deflated_file_of_any_size_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("xbdcnn.data.files.dicom_read.LARGEST_FILE", 2000)
    monkeypatch.setattr("xbdcnn.data.files.formats.LARGEST_FILE", 10**6)
    header = dicoms.radiograph("CR", np.zeros((2000, 2000), np.uint16))
    header.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    path = dicoms.write(tmp_path / "a.dcm", header)
    assert "larger than any radiograph" in refused(path)


@pytest.mark.parametrize("start", [128, 132])
@pytest.mark.parametrize("syntax", UNCOMPRESSED)
def test_without_preamble(tmp_path, start, syntax):
    header = dicoms.radiograph("CR", RAMP)
    header.file_meta.TransferSyntaxUID = syntax
    path = dicoms.write(tmp_path / "a.dcm", header)
    path.write_bytes(path.read_bytes()[start:])
    assert "without the preamble" in refused(path)
    del header.file_meta
    header.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    assert "without the preamble" in refused(path)


@pytest.mark.parametrize("name", ["Rows", "Columns", "BitsStored", "PixelRepresentation",
                                  "NumberOfFrames", "PixelPaddingValue"])  # fmt: skip
def test_a_number_at_fault_is_named(tmp_path, name):
    header = dicoms.radiograph("CR", RAMP)
    header.add_new(name, "LO", "unknown")
    line = refused(dicoms.write(tmp_path / "a.dcm", header))
    assert line.startswith(f"{name} ({pydicom.tag.Tag(name).group:04X},")
    assert "dcmodify" in line and "Error" not in line and "damaged" not in line


def test_no_message_is_the_name_of_an_exception(tmp_path):
    path = dicoms.write(tmp_path / "a.dcm", dicoms.radiograph("CR", RAMP))
    content = path.read_bytes()
    names = ("Error)", "Exception", "Traceback")
    for place in range(132, len(content) - 2 * RAMP.size, 7):
        path.write_bytes(content[:place] + b"\xff\xff\xff" + content[place + 3 :])
        try:
            open_radiograph(path)
        except XbdcnnError as error:
            assert not any(name in str(error) for name in names), place
