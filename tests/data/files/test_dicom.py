"""Reading and writing DICOM: no value is lost or clipped, and the derived object is valid."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import dicoms
import numpy as np
import pydicom
import pytest
from derived import Brighter, needs_validator, restored, validator_messages
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli import batch, wording
from xbdcnn.data import (
    Window,
    builtin_radiograph,
    load_radiograph,
    open_radiograph,
    save_radiograph,
)
from xbdcnn.data.builtin import builtin_path
from xbdcnn.inference.pretrained import Levels


def same(header: Dataset, derived: Dataset, *names: str) -> bool:
    return all(header.get(name) == derived.get(name) for name in names)


KEPT = ["Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"]
KEPT += ["PhotometricInterpretation", "PresentationLUTShape", "RescaleSlope", "RescaleIntercept"]
KEPT += [
    "WindowCenter",
    "WindowWidth",
    "SOPClassUID",
    "StudyInstanceUID",
    *dicoms.IDENTIFYING_VALUES,
]


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("modality", ["CR", "DX", "RF"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_size_bits_meaning_and_patient_are_kept(tmp_path, modality, kind, bits):
    header = dicoms.radiograph(modality, bits=bits, kind=kind)
    source, derived = restored(tmp_path, header)
    assert same(header, derived, *KEPT)
    assert derived.pixel_array.dtype == header.pixel_array.dtype
    change = load_radiograph(tmp_path / "out" / "in.dcm") - load_radiograph(source)
    if "WindowWidth" in header:  # brighter by a tenth, whatever the photometric interpretation
        assert np.median(change) == pytest.approx(0.1, abs=0.01)
    else:
        direction = -1 if kind == "MONOCHROME1" else 1
        moved = derived.pixel_array.astype(int) - header.pixel_array
        assert np.median(moved) == pytest.approx(
            0.1 * direction * np.ptp(header.pixel_array), rel=0.1
        )


def test_derived_object_records_its_derivation(tmp_path):
    header = dicoms.radiograph("DX", SeriesDescription="Chest PA", TimezoneOffsetFromUTC="-0430")
    _, derived = restored(tmp_path, header)
    assert derived.SOPInstanceUID != header.SOPInstanceUID
    assert derived.SOPInstanceUID == derived.file_meta.MediaStorageSOPInstanceUID
    assert derived.SeriesInstanceUID != header.SeriesInstanceUID
    assert derived.ImageType == ["DERIVED", "PRIMARY", ""]
    assert derived.SeriesDescription == "Denoised: Chest PA"
    text = derived.DerivationDescription
    for part in ("network brighter", version("xbdcnn"), "eta 0.75", "sigma 6.2", "not for diag"):
        assert part in text
    source = derived.SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == header.SOPInstanceUID
    assert source.ReferencedSOPClassUID == header.SOPClassUID
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert derived.ContributingEquipmentSequence[-1].SoftwareVersions == version("xbdcnn")
    assert derived.AcquisitionTime == header.AcquisitionTime


def test_series_are_kept_together_and_instances_are_unique(tmp_path):
    first = restored(tmp_path, dicoms.radiograph("CR", SeriesInstanceUID="1.2.3"))[1]
    second = restored(tmp_path, dicoms.radiograph("CR", SeriesInstanceUID="1.2.3"))[1]
    other = restored(tmp_path, dicoms.radiograph("CR", SeriesInstanceUID="1.2.4"))[1]
    assert first.SeriesInstanceUID == second.SeriesInstanceUID != other.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID


def test_obsolete_attributes_are_removed_and_others_kept(tmp_path):
    header = dicoms.radiograph("CR", SmallestImagePixelValue=3, LargestImagePixelValue=9)
    header.IconImageSequence = [Dataset()]
    header.DigitalSignaturesSequence = [Dataset()]
    header.ContributingEquipmentSequence = [Dataset()]
    header.private_block(0x0011, "MAKER", create=True).add_new(1, "LO", "kept")
    derived = restored(tmp_path, header)[1]
    for name in ("SmallestImagePixelValue", "LargestImagePixelValue", "IconImageSequence"):
        assert name not in derived
    assert "DigitalSignaturesSequence" not in derived
    assert derived.private_block(0x0011, "MAKER")[1].value == "kept"
    assert len(derived.ContributingEquipmentSequence) == 2
    assert len(header.ContributingEquipmentSequence) == 1


@needs_validator
@pytest.mark.parametrize(
    "case",  # DICOM defines no MONOCHROME1 for RF
    ["CR MONOCHROME1", "CR MONOCHROME2", "DX MONOCHROME1", "DX MONOCHROME2", "RF MONOCHROME2"],
)
def test_the_validator_finds_no_error(tmp_path, case):
    modality, kind = case.split()
    source, _ = restored(tmp_path, dicoms.radiograph(modality, kind=kind))
    found = validator_messages(tmp_path / "out" / "in.dcm")
    assert any("Image" in line for line in found), "the validator did not recognise the object"
    assert not [line for line in found if "Error" in line]
    assert found <= validator_messages(source)


@needs_validator
@pytest.mark.parametrize("name", ["RG1_UNCR", "RG3_J2KI"])
def test_the_validator_finds_nothing_new_in_real_objects(tmp_path, name):
    source = Path(get_testdata_file(f"{name}.dcm", download=False))
    batch.denoise_file(Brighter(), source, tmp_path / "a.dcm")
    assert validator_messages(tmp_path / "a.dcm") <= validator_messages(source)


# --- the window -----------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 65535), min_size=1, max_size=50),
    st.floats(-1e5, 1e5),
    st.floats(-1e5, 1e5),
)
def test_where_the_network_changes_nothing_every_number_is_the_same(numbers, black, white):
    assume(np.float32(white - black) != 0)
    window, stored = Window(black, white, "test"), np.array([numbers], np.uint16)
    back = window.restore(stored, window.to_unit(stored), (0, 65535))
    assert back.dtype == np.uint16 and (back == stored).all()


@settings(deadline=None)
@given(st.integers(-2000, 6000), st.floats(0, 1))
def test_the_change_is_added_in_stored_units_inside_and_outside(number, seen):
    window, stored = Window(3000, 1000, "test"), np.array([[number]], np.int16)
    f = min(max((number - 3000) / (1000 - 3000), 0), 1)
    expected = number + (seen - f) * (1000 - 3000)
    found = window.restore(stored, np.array([[seen]], np.float32), (-32768, 32767))
    assert abs(int(found[0, 0]) - expected) <= 0.51
    assert window.outside(stored) == (not 1000 <= number <= 3000)


def test_grey_levels_outside_the_window_are_not_cut(tmp_path):
    stored = np.tile(np.arange(0, 4096, 64, dtype=np.uint16), (20, 1))
    header = dicoms.radiograph("CR", stored, WindowCenter=2048.5, WindowWidth=1025)
    _, derived = restored(tmp_path, header)
    change = derived.pixel_array.astype(int) - stored
    # The window is 1536 to 2560; a tenth of it is 102. White cannot become brighter.
    assert (change[stored >= 2560] == 0).all()
    assert (change[stored < 2400] == 102).all()
    assert len(np.unique(derived.pixel_array[0])) > 60


def test_result_is_clipped_to_the_stored_bits(tmp_path):
    stored = np.full((20, 20), 4090, np.uint16)
    stored[:10] = 5
    header = dicoms.radiograph("CR", stored, WindowCenter=4000, WindowWidth=8000)
    _, derived = restored(tmp_path, header)
    assert derived.pixel_array.max() == 4095 and derived.BitsStored == 12


def test_signed_values(tmp_path):
    stored = (dicoms.ramp(12).astype(np.int16) - 2048).astype(np.int16)
    header = dicoms.radiograph("CR", stored, WindowCenter=0, WindowWidth=4000)
    _, derived = restored(tmp_path, header)
    assert derived.pixel_array.dtype == np.int16 and derived.pixel_array.min() < 0
    assert np.median(derived.pixel_array.astype(int) - stored) == pytest.approx(400, abs=1)


def test_padding_stays_and_nothing_becomes_padding(tmp_path):
    stored = dicoms.ramp(12)
    stored[:, :5] = 0
    stored[3, 10] = 1
    padding = {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 200}
    header = dicoms.radiograph("CR", stored, kind="MONOCHROME1", **padding)
    radiograph = open_radiograph(dicoms.write(tmp_path / "in.dcm", header))
    assert (
        radiograph.padding == (0, 200) and radiograph.window.white > 500
    )  # padding is not the smallest pixel
    found = radiograph.restored(np.ones_like(radiograph.unit))
    assert (found[:, :5] == 0).all() and found[3, 10] == 1
    assert (found[stored > 200] > 200).all()


@pytest.mark.parametrize(
    ("tags", "black", "white"),
    [
        ({"WindowCenter": 1024.5, "WindowWidth": 1025}, 512, 1536),
        ({"WindowCenter": [1024.5, 7], "WindowWidth": [1025, 3]}, 512, 1536),
        ({"WindowCenter": 1024, "WindowWidth": 1024, "VOILUTFunction": "LINEAR_EXACT"}, 512, 1536),
        (
            {"WindowCenter": 1024.5, "WindowWidth": 1025}
            | {"RescaleSlope": 2, "RescaleIntercept": -1000},
            756,
            1268,
        ),
        (
            {"WindowCenter": -1024.5, "WindowWidth": 1025}
            | {"RescaleSlope": -1, "RescaleIntercept": 0},
            1537,
            513,
        ),
        ({"WindowCenter": 1024.5, "WindowWidth": 1025, "RescaleSlope": 2}, 512, 1536),
        ({}, 0, 4095),
        ({"RescaleSlope": -1, "RescaleIntercept": 4095}, 4095, 0),
    ],
)
@pytest.mark.parametrize("kind", ["MONOCHROME2", "MONOCHROME1"])
def test_window_in_stored_values(tmp_path, tags, black, white, kind):
    stored = np.linspace(0, 4095, 400).reshape(20, 20).astype(np.uint16)
    path = dicoms.write(tmp_path / "a.dcm", dicoms.radiograph("CR", stored, kind=kind, **tags))
    window = open_radiograph(path).window
    expected = (black, white) if kind == "MONOCHROME2" else (white, black)
    assert (window.black, window.white) == pytest.approx(expected)


def curve(values: list[int], bits: int, first: int = 0) -> pydicom.Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(values), first, bits])
    item.add_new("LUTData", "US", values)
    return pydicom.Sequence([item])


def test_a_lookup_table_spans_from_its_last_black_to_its_first_white(tmp_path):
    values = np.interp(np.arange(4096), [1000, 3000], [0, 1023]).round().astype(int).tolist()
    header = dicoms.radiograph("CR", VOILUTSequence=curve(values, 10))
    window = open_radiograph(dicoms.write(tmp_path / "a.dcm", header)).window
    assert window.black == pytest.approx(1000, abs=6) and window.white == pytest.approx(3000, abs=6)
    assert "curve" in str(window)
    falling = dicoms.radiograph("CR", VOILUTSequence=curve(values[::-1], 10))
    window = open_radiograph(dicoms.write(tmp_path / "b.dcm", falling)).window
    assert window.black == pytest.approx(3095, abs=6) and window.white == pytest.approx(1095, abs=6)


def test_a_sigmoid_window_spans_from_black_to_white(tmp_path):
    tags = {"WindowCenter": 2048, "WindowWidth": 600, "VOILUTFunction": "SIGMOID"}
    window = open_radiograph(
        dicoms.write(tmp_path / "a.dcm", dicoms.radiograph("CR", **tags))
    ).window
    # 1 / (1 + exp(-4 t)) is within half a grey level of black at t = -log(509) / 4.
    reach = np.log(509) / 4 * 600
    assert (window.black, window.white) == pytest.approx((2048 - reach, 2048 + reach), abs=2)


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        ({"WindowCenter": 5, "WindowWidth": 1}, "WindowWidth"),
        ({"WindowCenter": 5, "WindowWidth": 9, "RescaleSlope": 0, "RescaleIntercept": 0}, "Slope"),
        ({"VOILUTSequence": curve([7] * 4096, 10)}, "constant"),
        ({"VOILUTSequence": curve([0, 9] * 2048, 10)}, "not monotonic"),
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 4095}, "every pixel is equal"),
    ],
)
def test_empty_windows_are_refused(tmp_path, tags, word):
    path = dicoms.write(tmp_path / "a.dcm", dicoms.radiograph("CR", **tags))
    with pytest.raises(XbdcnnError, match=word) as caught:
        open_radiograph(path)
    assert str(caught.value).startswith(f"{path}: ")
    if "PixelPaddingValue" not in tags:
        assert "--window BLACK WHITE" in str(caught.value)
    assert open_radiograph(path, (0, 4095)).window.white == 4095


def test_a_window_outside_all_pixels_is_refused(tmp_path):
    header = dicoms.radiograph("CR", WindowCenter=9000, WindowWidth=100)
    source = dicoms.write(tmp_path / "in.dcm", header)
    with pytest.raises(XbdcnnError, match="no pixel lies in its window"):
        batch.denoise_file(Brighter(), source, tmp_path / "out.dcm")
    found = batch.denoise_file(Brighter(), source, tmp_path / "out.dcm", window=(0, 4095))
    assert "stored 0 is black, 4095 white (as given), 0.00% of the pixels outside" in found.line


# --- transfer syntaxes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "syntax", [uid.RLELossless, uid.JPEG2000Lossless, uid.JPEGLSLossless], ids=lambda u: u.name
)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_compressed_without_loss(tmp_path, syntax, bits):
    # The JPEG 2000 encoder needs at least 32 pixels per resolution level.
    header = dicoms.radiograph("CR", dicoms.ramp(bits, (64, 80)), bits=bits)
    stored = header.pixel_array
    header.compress(syntax, generate_instance_uid=False)
    _, derived = restored(tmp_path, header)
    assert derived.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    np.testing.assert_array_equal(open_radiograph(tmp_path / "in.dcm").stored, stored)
    assert derived.get("LossyImageCompression", "00") == "00"


def test_jpeg_lossless():
    pytest.importorskip("libjpeg", reason="needs pylibjpeg-libjpeg, which is under the GPL")
    radiograph = open_radiograph(get_testdata_file("JPEG-LL.dcm", download=False))
    assert radiograph.stored.shape == (1024, 256) and np.ptp(radiograph.stored) == 278


def test_the_same_image_compressed_with_and_without_loss():
    uncompressed, lossless, lossy = (
        open_radiograph(get_testdata_file(f"RG3_{end}.dcm", download=False)).stored.astype(int)
        for end in ("UNCR", "J2KR", "J2KI")
    )
    np.testing.assert_array_equal(uncompressed, lossless)
    assert 0 < np.abs(uncompressed - lossy).max() < 100


def test_lossy_compression_remains_recorded(tmp_path):
    header = dicoms.radiograph("CR", LossyImageCompression="01")
    assert restored(tmp_path, header)[1].LossyImageCompression == "01"
    header = dicoms.radiograph("CR")
    header.compress(uid.JPEGLSNearLossless, jls_error=2, generate_instance_uid=False)
    assert restored(tmp_path, header)[1].LossyImageCompression == "01"


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_uncompressed_syntaxes_are_kept(tmp_path, syntax):
    header = dicoms.radiograph("CR")
    expected = header.pixel_array
    header.file_meta.TransferSyntaxUID = syntax
    if syntax == uid.ExplicitVRBigEndian:
        header.PixelData = expected.astype(">u2").tobytes()
        header["PixelData"].VR = "OW"
    _, derived = restored(tmp_path, header)
    assert derived.file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(open_radiograph(tmp_path / "in.dcm").stored, expected)
    assert np.median(derived.pixel_array.astype(int) - expected) > 0


def test_odd_number_of_bytes_is_padded(tmp_path):
    _, derived = restored(tmp_path, dicoms.radiograph("CR", dicoms.ramp(8, (17, 19)), bits=8))
    assert len(derived.PixelData) == 17 * 19 + 1 and derived.pixel_array.shape == (17, 19)


# --- other files ----------------------------------------------------------------------------


@pytest.mark.parametrize("inverted", [False, True])
def test_tiff_keeps_its_photometric_interpretation(tmp_path, inverted):
    import tifffile

    stored = dicoms.ramp(16)
    photometric = "miniswhite" if inverted else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric=photometric)
    radiograph = open_radiograph(tmp_path / "a.tif")
    save_radiograph(radiograph, radiograph.restored(radiograph.unit), tmp_path / "b.tif", "")
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages[0].photometric == (0 if inverted else 1)
        np.testing.assert_array_equal(tiff.asarray(), stored)


def test_the_built_in_radiograph_survives_a_round_trip(tmp_path):
    radiograph = open_radiograph(builtin_path())
    save_radiograph(
        radiograph, radiograph.restored(radiograph.unit), tmp_path / "a.dcm", "Nothing was changed."
    )
    np.testing.assert_array_equal(open_radiograph(tmp_path / "a.dcm").stored, radiograph.stored)
    assert builtin_radiograph().shape < radiograph.stored.shape


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "J2K_pixelrep_mismatch.dcm"])
def test_other_modalities_are_refused(tmp_path, name):
    source = Path(get_testdata_file(name, download=False))
    with pytest.raises(XbdcnnError, match="not a CR, DX, IO, RF or XA image"):
        batch.denoise_file(Brighter(), source, tmp_path / "a.dcm")
    assert not (tmp_path / "a.dcm").exists()


def test_uncertainty_of_levels_is_printed_if_measured():
    levels = Levels(0.5, 10.0)
    assert wording.format_levels(levels, None) == "eta 0.50, sigma 10.0 (uncertainty not measured)"
    assert wording.format_levels(levels, Levels(0.1, 1.5)) == "eta 0.50 +- 0.10, sigma 10.0 +- 1.5"
    assert wording.format_levels(None, None) == "no noise level estimated"
