"""Radiographs as archives publish them: Secondary Capture, de-identified, grey stored as colour."""

from __future__ import annotations

import io
from pathlib import Path

import dicoms
import numpy as np
import pydicom
import pytest
from derived import FULL_RANGE, Brighter, needs_validator, refused, restored, validator_messages
from PIL import Image
from pydicom import uid

from xbdcnn.cli import batch
from xbdcnn.data import load_radiograph, open_radiograph

GREY = dicoms.ramp(8)
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

# --- classes --------------------------------------------------------------------------------


def secondary_capture(modality: str, **tags: object) -> pydicom.Dataset:
    tags = {"SOPClassUID": uid.UID(SECONDARY_CAPTURE), "ConversionType": "WSD"} | tags
    return dicoms.radiograph("CR", GREY, bits=8, Modality=modality, **tags)


@pytest.mark.parametrize("modality", ["CR", "DX", "RG", "RF"])
def test_secondary_capture_of_a_radiograph_is_restored(tmp_path, modality):
    header = secondary_capture(modality, PixelSpacing=[0.143, 0.143])
    _, derived = restored(tmp_path, header)
    assert derived.SOPClassUID == SECONDARY_CAPTURE and derived.PixelSpacing == [0.143, 0.143]
    assert derived.pixel_array.dtype == np.uint8
    assert np.median(derived.pixel_array.astype(int) - GREY) == pytest.approx(
        0.1 * np.ptp(GREY), abs=1
    )


@pytest.mark.parametrize("modality", ["OT", "CT", "MG", ""])
def test_another_secondary_capture_is_refused_by_its_modality(tmp_path, modality):
    path = dicoms.write(tmp_path / "a.dcm", secondary_capture(modality))
    assert "Secondary Capture whose Modality (0008,0060)" in refused(path)


@pytest.mark.parametrize("class_uid", ["12.1", "1.3"])
def test_single_angiograms_and_dental_radiographs_are_restored(tmp_path, class_uid):
    class_uid = uid.UID(f"1.2.840.10008.5.1.4.1.1.{class_uid}")
    assert restored(tmp_path, dicoms.radiograph("CR", SOPClassUID=class_uid))


@pytest.mark.parametrize("modality", ["CR", "RF"])
def test_several_frames_are_refused_and_one_is_not(tmp_path, modality):
    header = dicoms.radiograph(modality, NumberOfFrames=1)
    assert restored(tmp_path, header)[1].NumberOfFrames == 1
    header.NumberOfFrames, header.PixelData = 3, 3 * header.PixelData
    path = dicoms.write(tmp_path / "a.dcm", header)
    assert "3 frames, but only single images" in refused(path)


# --- de-identified files --------------------------------------------------------------------


def deidentified(path: Path, modality: str, keep: tuple[str, ...] = ()) -> Path:
    """Write an object with the attributes of group 0028 alone, and the class in the file meta."""
    header = dicoms.radiograph(modality, **FULL_RANGE)
    for element in list(header):
        if element.tag.group not in (0x0028, 0x7FE0) and element.keyword not in keep:
            del header[element.tag]
    header.preamble = bytes(128)
    header.save_as(path, enforce_file_format=False)
    return path


@pytest.mark.parametrize("keep", [(), ("SOPClassUID",), ("SOPClassUID", "SOPInstanceUID")])
@pytest.mark.parametrize("modality", ["CR", "DX", "RF"])
def test_class_and_instance_may_stand_in_the_file_meta(tmp_path, modality, keep):
    path = deidentified(tmp_path / "a.dicom", modality, keep)
    meta = pydicom.dcmread(path).file_meta
    line = batch.denoise_file(Brighter(), path, tmp_path / "out.dcm").line
    assert ("taken from the file meta" in line) == (len(keep) < 2)
    derived = pydicom.dcmread(tmp_path / "out.dcm")
    assert derived.SOPClassUID == meta.MediaStorageSOPClassUID and derived.Modality == modality
    source = derived.SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == meta.MediaStorageSOPInstanceUID
    assert derived.PatientID is None or derived.PatientID == ""
    change = load_radiograph(tmp_path / "out.dcm") - load_radiograph(path)
    assert np.median(change) == pytest.approx(0.1, abs=0.001)


@needs_validator
def test_a_completed_header_is_valid(tmp_path):
    path = deidentified(tmp_path / "a.dcm", "CR")
    batch.denoise_file(Brighter(), path, tmp_path / "out.dcm")
    found = validator_messages(tmp_path / "out.dcm")
    assert "CRImage" in found and not [line for line in found if "Error" in line]


def test_files_without_series_are_series_of_their_own_in_one_study_each(tmp_path):
    found = set()
    for name in ("a.dcm", "b.dcm"):
        path = deidentified(tmp_path / name, "DX")
        for target in ("first.dcm", "second.dcm"):
            batch.denoise_file(Brighter(), path, tmp_path / target, overwrite=True)
            derived = pydicom.dcmread(tmp_path / target)
            found.add((derived.SeriesInstanceUID, derived.StudyInstanceUID))
    assert len(found) == 2 and len({study for _, study in found}) == 2


def test_a_file_without_any_class_or_instance(tmp_path):
    header = dicoms.radiograph("DX")
    header.preamble = bytes(128)
    for name in ("SOPInstanceUID", "SOPClassUID"):
        delattr(header, name)
        delattr(header.file_meta, f"MediaStorage{name}")
        header.save_as(tmp_path / f"{name}.dcm", enforce_file_format=False)
    batch.denoise_file(Brighter(), tmp_path / "SOPInstanceUID.dcm", tmp_path / "out.dcm")
    assert "SourceImageSequence" not in pydicom.dcmread(tmp_path / "out.dcm")
    assert "SOPClassUID (0008,0016) is missing" in refused(tmp_path / "SOPClassUID.dcm")


def test_a_missing_transfer_syntax_is_recognised(tmp_path):
    header = dicoms.radiograph("CR", **FULL_RANGE)
    expected = header.pixel_array
    del header.file_meta.TransferSyntaxUID
    header.preamble = bytes(128)
    for implicit in (True, False):
        header.save_as(tmp_path / "a.dcm", implicit_vr=implicit, little_endian=True)
        np.testing.assert_array_equal(open_radiograph(tmp_path / "a.dcm").stored, expected)


# --- grey stored as colour ------------------------------------------------------------------


def colour(channels: np.ndarray, kind: str = "RGB", planar: int = 0) -> pydicom.Dataset:
    """Return a DX object of (H, W, 3) samples."""
    bits = 8 * channels.itemsize
    header = dicoms.radiograph("DX", channels[..., 0], bits=bits, kind=kind)
    header.SamplesPerPixel, header.PlanarConfiguration = 3, planar
    header.WindowCenter, header.WindowWidth = 40, 10  # does not apply to colour
    content = channels.transpose(2, 0, 1) if planar else channels
    header.PixelData = np.ascontiguousarray(content).tobytes()
    return header


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("bits", [8, 16])
def test_three_equal_channels_are_grey(tmp_path, bits, planar):
    grey = dicoms.ramp(bits)
    source, derived = restored(tmp_path, colour(np.stack([grey] * 3, -1), planar=planar))
    np.testing.assert_allclose(load_radiograph(source), grey / (2**bits - 1), atol=1e-6)
    assert derived.PhotometricInterpretation == "MONOCHROME2" and derived.SamplesPerPixel == 1
    assert "PlanarConfiguration" not in derived and derived.BitsStored == bits
    change = load_radiograph(tmp_path / "out" / "in.dcm") - load_radiograph(source)
    assert np.median(change) == pytest.approx(0.1, abs=0.003)


def test_ybr_and_compressed_colour(tmp_path):
    neutral = np.full_like(GREY, 128)
    headers = [colour(np.stack([GREY, neutral, neutral], -1), "YBR_FULL")]
    headers.append(colour(np.stack([GREY] * 3, -1)))
    headers[1].compress(uid.RLELossless, generate_instance_uid=False)
    for header in headers:
        path = dicoms.write(tmp_path / "a.dcm", header)
        np.testing.assert_allclose(load_radiograph(path), GREY / 255, atol=1e-6)
        assert "three equal channels" in str(open_radiograph(path).window)


def test_one_coloured_pixel_is_refused(tmp_path):
    channels = np.stack([GREY] * 3, -1)
    channels[3, 5, 1] ^= 1
    path = dicoms.write(tmp_path / "a.dcm", colour(channels))
    assert "a colour image, see PhotometricInterpretation (0028,0004)" in refused(path)


# --- JPEG -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("allocated", "stored"), [(8, 8), (16, 12), (16, 16)])
def test_8_bit_jpeg_in_a_header_of_more_bits(tmp_path, allocated, stored):
    stream = io.BytesIO()
    smooth = np.tile(np.linspace(20, 230, 64).astype(np.uint8), (48, 1))
    Image.fromarray(smooth).save(stream, format="JPEG", quality=95)
    window = {"WindowCenter": 2 ** (stored - 1), "WindowWidth": 2**stored}
    header = dicoms.radiograph("CR", smooth, bits=stored, **window)
    header.BitsAllocated = allocated
    header.PixelData = pydicom.encaps.encapsulate([stream.getvalue()])
    header["PixelData"].is_undefined_length = True
    header.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    source, derived = restored(tmp_path, header)
    assert abs(load_radiograph(source) - smooth / 255).max() < 3 / 255
    assert derived.BitsAllocated == derived.BitsStored == 8
    assert derived.pixel_array.shape == smooth.shape


def test_12_bit_jpeg_with_an_unused_field_set_wrongly(tmp_path):
    pytest.importorskip("libjpeg", reason="needs pylibjpeg-libjpeg, which is under the GPL")
    wrong, right = (
        open_radiograph(pydicom.data.get_testdata_file(name, download=False)).stored
        for name in ("JPEG-lossy.dcm", "JPGExtended.dcm")
    )
    np.testing.assert_array_equal(wrong, right)  # the same image; the first has no valid scan end
