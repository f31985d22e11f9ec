"""Files of the user: uploads that can and cannot be read, and the saved restoration."""

from __future__ import annotations

import re

import numpy as np
import pytest
from browsers import TIMEOUT
from explorer_pages import (
    choose,
    menu,
    picture,
    pixels,
    screenshot,
    slot,
    upload,
    wait_for_restoration,
)
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


def test_upload_of_a_bad_and_of_a_good_file(page, tmp_path):
    bad, good = tmp_path / "holiday.png", tmp_path / "mine.png"
    bad.write_bytes(b"this is not a picture")
    Image.linear_gradient("L").save(good)
    clean = picture(page, "clean")
    upload(page, bad)
    expect(slot(page, "message")).to_have_text(re.compile(r"^holiday\.png: not a PNG"))
    assert page.get_by_role("button", name="Upload").inner_text() == "Upload PNG or DICOM"
    assert picture(page, "clean") == clean
    upload(page, good)
    expect(slot(page, "message")).to_be_empty(timeout=TIMEOUT)
    wait_for_restoration(page)
    assert page.locator('canvas[data-picture="clean"]').evaluate("c => c.width") == 256
    assert menu(page, "radiograph").input_value() == "upload: mine.png"


def test_upload_is_restored_as_it_is_and_downloaded(page, tmp_path):
    choose(page, "method", "TV")
    mine, gradient = tmp_path / "mine.png", Image.linear_gradient("L")
    gradient.save(mine)
    upload(page, mine)
    expect(slot(page, "caption-noisy")).to_contain_text("no noise added", timeout=TIMEOUT)
    wait_for_restoration(page)
    assert pixels(page, "noisy") == list(gradient.tobytes())
    assert "PSNR (dB)" not in slot(page, "scores").inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download restored").click()
    assert download.value.suggested_filename == "upload-mine.png-TV.png"
    with Image.open(download.value.path()) as restored:
        assert restored.mode == "I;16" and restored.size == (256, 256)
        grey = np.asarray(restored).ravel() / 257
    np.testing.assert_allclose(grey, pixels(page, "restored"), atol=0.51)
    screenshot(page, "6-upload")
    page.get_by_label("as it is").uncheck()
    expect(slot(page, "scores")).to_contain_text("PSNR (dB)", timeout=TIMEOUT)
    assert pixels(page, "noisy") != list(gradient.tobytes())


def test_large_dicom_file_can_be_uploaded(page):
    from pydicom.data import get_testdata_file

    upload(page, get_testdata_file("RG1_UNCR.dcm", download=False))
    expect(slot(page, "caption-overview")).to_contain_text("drag", timeout=TIMEOUT)
    wait_for_restoration(page)
    expect(slot(page, "message")).to_be_empty()
