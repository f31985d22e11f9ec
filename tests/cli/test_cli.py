"""The command line: output, written files and exit codes."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import dicoms
import numpy as np
import pandas as pd
import pydicom
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from xbdcnn import __version__
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli import app, batch
from xbdcnn.data import load_radiograph, open_radiograph, save_radiograph
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.study.profiles import PROFILES

SIZE = (40, 48)


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def errors(result) -> list[str]:
    lines = result.stderr.splitlines()
    return [line.removeprefix("xbdcnn: error: ") for line in lines if "xbdcnn: error: " in line]


@pytest.fixture
def ramp() -> np.ndarray:
    return np.linspace(0.2, 0.8, SIZE[0] * SIZE[1]).reshape(SIZE)


@pytest.fixture
def scans(tmp_path, ramp) -> Path:
    """A folder of good and bad files of every format."""
    folder = tmp_path / "scans"
    folder.mkdir()
    eight, sixteen = (ramp * 255).astype(np.uint8), (ramp * 65535).astype(np.uint16)
    Image.fromarray(eight).save(folder / "eight.png")
    Image.fromarray(sixteen).save(folder / "sixteen.png")
    Image.fromarray(eight).save(folder / "photo.jpg")
    tifffile.imwrite(folder / "eight.tif", eight)
    tifffile.imwrite(folder / "sixteen.TIFF", sixteen)
    tifffile.imwrite(folder / "real.tif", ramp.astype(np.float32))
    whole = (folder / "eight.png").read_bytes()
    (folder / "broken.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.dcm").touch()
    (folder / "notes.txt").write_text("not a radiograph")
    return folder


def test_help_names_every_command_and_is_quick():
    start = time.perf_counter()
    command = [sys.executable, "-m", "xbdcnn", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert time.perf_counter() - start < 2
    for name in ("reproduce", "train", "evaluate", "denoise", "fetch-sample", "--version"):
        assert name in result.stdout


@pytest.mark.parametrize("name", ["reproduce", "train", "evaluate", "denoise", "fetch-sample"])
def test_every_command_has_help(name):
    result = CliRunner().invoke(app, [name, "--help"], prog_name="xbdcnn")
    assert result.exit_code == 0 and f"Usage: xbdcnn {name} [OPTIONS]" in result.stdout


def test_no_command_shows_help():
    result = run()
    assert result.exit_code == 0 and "denoise" in result.stdout


def test_version():
    result = run("--version")
    assert result.exit_code == 0 and result.stdout == f"xbdcnn {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bogus"], "No such option: --bogus; see 'xbdcnn --help'"),
        (["bogus"], "No such command 'bogus'; see 'xbdcnn --help'"),
        (["denoise", "--qqq"], "No such option: --qqq; see 'xbdcnn denoise --help'"),
        (["denoise"], "Missing argument 'IN...'; see 'xbdcnn denoise --help'"),
        (["denoise", "a.png"], "Missing option '--output' / '-o'; name a folder"),
        (["denoise", "a.png", "-o", "x", "--network", "unet"], "unknown network 'unet'; choo"),
        (["denoise", "a.png", "-o", "x", "--precision", "f"], "unknown precision 'f'; choose from"),
        (["denoise", "a.png", "-o", "x", "--resume", "--overwrite"], "--resume keeps existing"),
        (
            ["reproduce", "--from", "x", "--only", "06"],
            "--from repeats every notebook of the record",
        ),
        (["reproduce", "--from", "x"], "x: no record of a reproduction; name a provenance.json"),
        (["evaluate", "--table", "3"], "Invalid value for '--table': "),
        (["evaluate", "--profile", "huge"], "unknown profile 'huge'; choose from smoke, quick"),
        (["reproduce", "--profile", "huge"], "unknown profile 'huge'; choose from smoke, quick"),
        (["train", "unet"], "unknown network 'unet'; choose from dncnn"),
        (["train", "dncnn", "--profile", "huge"], "unknown profile 'huge'"),
        (["train", "dncnn", "--patches", "0"], "Invalid value for '--patches': "),
    ],
)
def test_usage_error_is_one_line_and_exit_code_2(arguments, message):
    result = CliRunner().invoke(app, arguments, prog_name="xbdcnn")
    assert result.exit_code == 2
    assert result.stdout == "" and len(result.stderr.splitlines()) == 1
    assert errors(result)[0].startswith(message)


def test_unknown_notebook_is_usage_error(tmp_path):
    (tmp_path / "00_first.py").write_text("# %%\n")
    result = run("reproduce", "--only", "77", "--notebooks", tmp_path)
    assert result.exit_code == 2
    assert errors(result) == ["no notebook '77'; choose from 00_first"]


def test_missing_weights_are_one_line_and_exit_code_1(scans, tmp_path):
    result = run("denoise", scans, "-o", tmp_path / "out", "--network", "none.safetensors")
    assert result.exit_code == 1
    assert errors(result)[0].startswith("none.safetensors: no such weights")


def test_debug_raises_the_error(scans, tmp_path):
    result = run("--debug", "denoise", scans, "-o", tmp_path, "--network", "none.safetensors")
    assert isinstance(result.exception, XbdcnnError)


def test_denoise_a_mixed_folder(scans, tmp_path, weights):
    out = tmp_path / "out"
    before = {path.name: path.read_bytes() for path in scans.iterdir()}
    result = run("denoise", scans, "-o", out, "--network", weights)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[-1] == f"6 of 8 radiographs restored into {out}; 1 other files skipped"
    assert len(lines) == 7 and all(" is black, " in line for line in lines[:-1])
    assert [Path(line.split(":")[0]).name for line in errors(result)] == ["broken.png", "empty.dcm"]
    assert {path.name for path in out.iterdir()} == {
        "eight.png",
        "sixteen.png",
        "photo.png",
        "eight.tif",
        "sixteen.TIFF",
        "real.tif",
    }
    assert {path.name: path.read_bytes() for path in scans.iterdir()} == before


@pytest.mark.parametrize(
    ("kind", "name", "made"),
    [
        ("TIFF", "slide.btf", "slide.btf.tif"),
        ("TIFF", "scan", "scan.tif"),
        ("TIFF", "false.png", "false.tif"),
        ("PNG", "false.tif", "false.png"),
        ("PNG", "1.2.3", "1.2.3.png"),
    ],
)
def test_png_and_tiff_keep_their_format_whatever_their_suffix(scans, ramp, kind, name, made):
    Image.fromarray((ramp * 255).astype(np.uint8)).save(scans / name, format=kind)
    assert batch.output_name(scans / name) == made


@pytest.mark.parametrize(
    ("name", "dtype", "made"),
    [
        ("eight.png", np.uint8, "eight.png"),
        ("sixteen.png", np.uint16, "sixteen.png"),
        ("photo.jpg", np.uint8, "photo.png"),
        ("eight.tif", np.uint8, "eight.tif"),
        ("sixteen.TIFF", np.uint16, "sixteen.TIFF"),
        ("real.tif", np.float32, "real.tif"),
    ],
)
def test_output_is_the_network_output_in_the_bit_depth_of_the_input(
    scans, tmp_path, weights, name, dtype, made
):
    result = run("denoise", scans / name, "-o", tmp_path / "out", "--network", weights)
    assert result.exit_code == 0, result.stderr
    path = tmp_path / "out" / made
    stored = tifffile.imread(path) if "tif" in made.lower() else np.asarray(Image.open(path))
    assert stored.dtype == dtype and stored.shape == SIZE
    expected = load_pretrained(weights).denoise(load_radiograph(scans / name))
    step = 1e-7 if dtype == np.float32 else 1 / np.iinfo(dtype).max
    assert np.abs(load_radiograph(path) - expected).max() <= 0.51 * step + 1e-7


@pytest.mark.parametrize(
    ("name", "made"),
    [("chest.dcm", "chest.dcm"), ("1.2.840.10008", "1.2.840.10008"), ("odd.png", "odd.dcm")],
)
def test_dicom_input_gives_dicom_output(tmp_path, weights, name, made):
    dicoms.write(tmp_path / name, dicoms.radiograph("CR"))
    result = run("denoise", tmp_path / name, "-o", tmp_path / "out", "--network", weights)
    assert result.exit_code == 0, result.stderr
    assert "its smallest and largest pixel" in result.stdout and "eta " in result.stdout
    derived = pydicom.dcmread(tmp_path / "out" / made)
    assert derived.BitsStored == 12 and "network tiny" in derived.DerivationDescription


def test_float_pixels_in_a_file_called_png_keep_16_bits(tmp_path, ramp):
    tifffile.imwrite(tmp_path / "odd.png", ramp.astype(np.float32))
    radiograph = open_radiograph(tmp_path / "odd.png")
    save_radiograph(radiograph, radiograph.stored, tmp_path / "new.png", "")
    assert np.asarray(Image.open(tmp_path / "new.png")).dtype == np.uint16


def test_window_is_given_in_stored_values(tmp_path, weights, ramp):
    Image.fromarray((ramp * 4095).astype(np.uint16)).save(tmp_path / "a.png")
    arguments = ["denoise", tmp_path / "a.png", "--estimate-only", "--network", weights]
    result = run(*arguments, "--window", 0, 4095)
    assert "stored 0 is black, 4095 white (as given), 0.00% of the pixels outside" in result.stdout
    assert run(*arguments, "--window", 7, 7).exit_code == 2


def test_folder_is_searched_by_content_and_other_files_are_counted(tmp_path, weights):
    folder = tmp_path / "disc"
    folder.mkdir()
    for name in ("IM0001", "1.2.3.4567", "DICOMDIR"):
        dicoms.write(folder / name, dicoms.radiograph("CR"))
    (folder / ".hidden").touch()
    (folder / "viewer.exe").write_bytes(b"MZ" + bytes(200))
    result = run("denoise", folder, "-o", tmp_path / "out", "--network", weights)
    assert result.exit_code == 0, result.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"IM0001", "1.2.3.4567"}
    assert result.stdout.splitlines()[-1].endswith("; 2 other files skipped")


@pytest.fixture
def disc(tmp_path) -> Path:
    """A DICOM disc: the files of all series have one name."""
    root = tmp_path / "disc"
    for name in ("DICOMDIR", "PAT0/STU0/SER0/IM0", "PAT0/STU0/SER1/IM0", "PAT1/STU0/SER0/IM0"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        dicoms.write(root / name, dicoms.radiograph("CR"))
    return root


def made_in(out: Path) -> list[str]:
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())


IMAGES = ["PAT0/STU0/SER0/IM0", "PAT0/STU0/SER1/IM0", "PAT1/STU0/SER0/IM0"]


def test_a_tree_is_searched_on_request_and_repeated_in_the_output(disc, tmp_path, weights):
    out = tmp_path / "out"
    result = run("denoise", disc, "-o", out, "--network", weights)
    assert result.exit_code == 2 and not out.exists()
    assert "subfolders (PAT0, PAT1); search with --recursive" in errors(result)[0]
    result = run("denoise", disc, "-o", out, "--network", weights, "--recursive")
    assert result.exit_code == 0, result.stderr
    assert "3 of 3 radiographs restored" in result.stdout and "1 other files" in result.stdout
    assert made_in(out) == IMAGES
    again = run("denoise", disc, "-o", out, "--network", weights, "-r", "--resume")
    assert again.exit_code == 0 and "all 3 radiographs were restored" in again.stdout
    result = run("estimate", disc, "-r", "--network", weights)
    assert result.exit_code == 0 and "3 of 3 radiographs estimated" in result.stderr


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["disc/PAT0", "disc/PAT1"], IMAGES),
        (["disc/**/*"], IMAGES),
        (["disc/PAT*"], IMAGES),
        (["disc/PAT0"], ["STU0/SER0/IM0", "STU0/SER1/IM0"]),
        (["disc/PAT0/STU0/*/IM0"], ["SER0/IM0", "SER1/IM0"]),
        (["disc/PAT0/STU0/SER0/IM0", "disc/PAT0/STU0/SER1/IM0"], ["SER0/IM0", "SER1/IM0"]),
        (["disc", "other"], [*(f"disc/{name}" for name in IMAGES), "other/a.png"]),
    ],
)
def test_outputs_lie_below_the_common_folder_of_the_inputs(
    disc, tmp_path, scans, weights, monkeypatch, inputs, expected
):
    (tmp_path / "other").mkdir()
    (scans / "eight.png").rename(tmp_path / "other" / "a.png")
    monkeypatch.chdir(tmp_path)
    result = run("denoise", *inputs, "-o", "out", "--network", weights, "--recursive")
    assert result.exit_code == 0, result.stderr
    assert made_in(tmp_path / "out") == expected


def test_outputs_within_the_tree_are_not_restored_again(disc, weights):
    for _ in range(2):
        options = ["-o", disc / "restored", "--network", weights, "--recursive", "--overwrite"]
        result = run("denoise", disc, *options)
        assert result.exit_code == 0 and "3 of 3" in result.stdout
    assert made_in(disc / "restored") == IMAGES
    result = run("denoise", disc, "-o", disc, "--network", weights, "-r", "--overwrite")
    assert result.exit_code == 2 and "is an input; choose another" in errors(result)[0]


def test_subfolders_beside_radiographs_are_not_passed_over_in_silence(disc, scans, weights):
    disc.rename(scans / "disc")
    result = run("estimate", scans, "--network", weights)
    assert "subfolders not searched: disc; add --recursive" in result.stderr


def test_a_clash_of_folders_names_the_option(disc, tmp_path, weights):
    files = [disc / name for name in IMAGES[:2]]
    result = run("denoise", *files, "-o", tmp_path / "out", "--network", weights)
    assert result.exit_code == 2 and "repeat their folders by --recursive" in errors(result)[0]


def test_a_link_without_its_file_is_a_failure(scans, tmp_path, weights):
    folder = tmp_path / "annexed"
    folder.mkdir()
    (scans / "eight.png").rename(folder / "here.png")
    (folder / "away.dcm").symlink_to(tmp_path / "annex" / "away.dcm")
    result = run("denoise", folder, "-o", tmp_path / "out", "--network", weights)
    assert result.exit_code == 1 and "1 of 2" in result.stdout
    assert "away.dcm: a link to no such file" in errors(result)[0]


def test_quoted_patterns_are_expanded(scans, tmp_path, weights):
    options = ["-o", tmp_path / "out", "--network", weights]
    result = run("denoise", scans / "ei*.*", *options)
    assert result.exit_code == 0 and "2 of 2" in result.stdout
    result = run("denoise", tmp_path / "**" / "sixteen.*", *options)
    assert result.exit_code == 0 and "2 of 2" in result.stdout
    again = run("denoise", tmp_path / "**" / "sixteen.*", *options, "--resume")
    assert again.exit_code == 0 and again.stdout == (
        f"nothing to do, all 2 radiographs were restored into {tmp_path / 'out'} earlier; "
        "2 other files skipped\n"
    )
    above = run("denoise", tmp_path / "scans" / "ei*.png", "-o", tmp_path, *options[2:])
    assert above.exit_code == 0 and "1 of 1" in above.stdout
    within = run("denoise", scans / "ei*.*", "-o", scans, *options[2:])
    assert within.exit_code == 2 and "is an input" in errors(within)[0]
    result = run("denoise", scans / "nobody*.png", *options)
    assert result.exit_code == 2 and "no file matches this pattern" in errors(result)[0]


def test_existing_output_is_kept_unless_overwriting_is_allowed(scans, tmp_path, weights):
    arguments = ["denoise", scans / "eight.png", scans / "eight.tif", "-o", tmp_path]
    (tmp_path / "eight.png").write_bytes(b"mine")
    result = run(*arguments, "--network", weights)
    assert result.exit_code == 1 and "1 of 2" in result.stdout
    assert (tmp_path / "eight.png").read_bytes() == b"mine"
    assert errors(result) == [
        f"{scans / 'eight.png'}: {tmp_path / 'eight.png'} exists already; allow it with "
        "--overwrite, or skip it with --resume"
    ]
    assert run(*arguments, "--network", weights, "--overwrite").exit_code == 0
    assert load_radiograph(tmp_path / "eight.png").shape == SIZE


def test_an_input_is_never_an_output(scans, tmp_path, weights):
    (tmp_path / "link").symlink_to(scans, target_is_directory=True)
    before = (scans / "eight.png").read_bytes()
    for out in (scans, tmp_path / "link", scans / ".." / "scans"):
        result = run("denoise", scans / "eight.png", "-o", out, "--network", weights, "--overwrite")
        assert result.exit_code == 2 and "is an input; choose another" in errors(result)[0]
    # photo.jpg would become photo.png, which is another input.
    (tmp_path / "photo.png").write_bytes(before)
    inputs = [scans / "photo.jpg", tmp_path / "photo.png"]
    result = run("denoise", inputs[0], "-o", tmp_path, "--network", weights)
    assert result.exit_code == 1 and "exists already" in errors(result)[0]
    with pytest.raises(XbdcnnError, match="would both become"):
        batch.plan_outputs(inputs, tmp_path)
    assert (scans / "eight.png").read_bytes() == before


def test_same_name_from_two_folders_names_both(scans, tmp_path, weights):
    other = tmp_path / "other" / "eight.png"
    other.parent.mkdir()
    other.write_bytes((scans / "eight.png").read_bytes())
    out = tmp_path / "out"
    result = run("denoise", scans / "eight.png", other, "-o", out, "--network", weights)
    assert result.exit_code == 2 and not out.exists()
    assert str(scans / "eight.png") in errors(result)[0] and str(other) in errors(result)[0]


def test_same_file_twice_is_done_once(scans, tmp_path, weights):
    path = scans / "eight.png"
    result = run("denoise", path, scans / "." / "eight.png", "-o", tmp_path, "--network", weights)
    assert result.exit_code == 0 and "1 of 1" in result.stdout


def test_unusable_folders_are_refused(scans, tmp_path, weights):
    (tmp_path / "void").mkdir()
    result = run("denoise", tmp_path / "void", "-o", tmp_path / "out", "--network", weights)
    assert result.exit_code == 2 and "no PNG, TIFF, JPEG or DICOM file" in errors(result)[0]
    result = run("denoise", scans, "-o", scans / "notes.txt", "--network", weights)
    assert result.exit_code == 2 and "notes.txt: not a folder" in errors(result)[0]


def test_estimate_only_prints_levels_and_writes_nothing(scans, weights):
    before = set(scans.iterdir())
    result = run("denoise", scans, "--estimate-only", "--network", weights)
    assert result.exit_code == 1 and set(scans.iterdir()) == before
    lines = result.stdout.splitlines()
    assert len(lines) == 6 * 3 and len(errors(result)) == 2
    levels = load_pretrained(weights).estimate(load_radiograph(scans / "eight.png"))
    found = [line for line in lines if line.startswith(f"{scans / 'eight.png'}: ")]
    assert f"eta {levels.eta:.2f}, sigma {levels.sigma:.1f} (uncertainty not" in found[0]
    assert ": measured noise: undetermined, 6 of the 150 necessary blocks" in found[1]


def test_restoring_prints_the_levels_too(scans, tmp_path, weights):
    path = scans / "sixteen.png"
    options = ["-o", tmp_path / "out", "--network", weights, "--precision", "fp32"]
    result = run("denoise", path, *options)
    assert result.exit_code == 0, result.stderr
    image = load_radiograph(path)
    restored, levels = load_pretrained(weights, precision="fp32").restore(image)
    line, summary = result.stdout.splitlines()
    assert f"; eta {levels.eta:.2f}, sigma {levels.sigma:.1f} (" in line
    assert summary == f"1 of 1 radiographs restored into {tmp_path / 'out'}"
    stored = np.asarray(Image.open(tmp_path / "out" / "sixteen.png"))
    np.testing.assert_allclose(stored.astype(float), restored * 65535.0, rtol=0, atol=1)


def test_strength_and_levels_control_what_is_removed(scans, tmp_path, weights):
    path, removed = scans / "sixteen.png", []
    for strength in ("1", "0.5", "0"):
        options = ["-o", tmp_path / strength, "--network", weights, "--strength", strength]
        result = run("denoise", path, *options, "--eta", "0.7", "--sigma", "9")
        assert result.exit_code == 0, result.stderr
        assert "; eta 0.70, sigma 9.0 (as given); removed " in result.stdout
        removed.append(float(result.stdout.split("removed ")[1].split(" grey")[0]))
    assert removed[0] > removed[1] > removed[2] == 0
    same = np.asarray(Image.open(tmp_path / "0" / "sixteen.png"))
    np.testing.assert_array_equal(same, np.asarray(Image.open(path)))


@pytest.mark.parametrize(
    "options, words",
    [
        (["--eta", "0.7"], "give both or neither"),
        (["--strength", "1.5"], "Invalid value for '--strength'"),
        (["--eta", "0", "--sigma", "1"], "eta must be above 0"),
    ],
)
def test_impossible_control_is_refused(scans, tmp_path, weights, options, words):
    command = ["-o", tmp_path / "out", "--network", weights, *options]
    result = run("denoise", scans / "sixteen.png", *command)
    assert result.exit_code in (1, 2) and words in " ".join(result.stderr.split())
    assert not (tmp_path / "out" / "sixteen.png").exists()


def test_resume_keeps_existing_outputs_and_restores_the_rest(scans, tmp_path, weights):
    out = tmp_path / "out"
    assert run("denoise", scans / "eight.png", "-o", out, "--network", weights).exit_code == 0
    (out / "eight.png").write_bytes(b"unchanged")
    names = [scans / "eight.png", scans / "sixteen.png"]
    result = run("denoise", *names, "-o", out, "--network", weights, "--resume")
    assert result.exit_code == 0, result.stderr
    assert (out / "eight.png").read_bytes() == b"unchanged"
    expected = f"1 of 1 radiographs restored into {out}; 1 restored already"
    assert result.stdout.splitlines()[-1] == expected
    assert (out / "sixteen.png").is_file()


def test_missing_and_unreadable_inputs_are_named(scans, tmp_path, weights):
    names = [tmp_path / "absent.png", scans / "notes.txt", scans / "eight.png"]
    result = run("denoise", *names, "-o", tmp_path / "out", "--network", weights)
    assert result.exit_code == 1 and "1 of 3" in result.stdout
    assert errors(result)[0] == f"{names[0]}: no such file; check the path"
    assert errors(result)[1].startswith(f"{names[1]}: not a PNG, TIFF, JPEG or DICOM file")


@pytest.mark.slow
def test_train_then_evaluate_with_those_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("XBDCNN_DATA", "")
    monkeypatch.setattr("xbdcnn.data.source.sample_folder", lambda: tmp_path / "none")
    # The classical methods take most of the time and are tested where they are defined.
    quick = replace(PROFILES["smoke"], classical=(), table1_patches=2)
    monkeypatch.setitem(PROFILES, "smoke", quick)
    run_folder = tmp_path / "run"
    sizes = ["--patches", "16", "--batch-size", "4", "--seed", "3"]
    result = run("train", "xbdcnn", "--profile", "smoke", "--folder", run_folder, *sizes)
    assert result.exit_code == 0, result.output
    weights = run_folder / "xbdcnn.safetensors"
    assert result.stdout == f"training finished after 4 steps; weights: {weights}\n"
    again = run("train", "xbdcnn", "--profile", "smoke", "--folder", run_folder, *sizes)
    earlier = f"training finished earlier, no step was left; weights: {weights}\n"
    assert again.exit_code == 0 and again.stdout == earlier
    header = load_pretrained(run_folder / "xbdcnn.safetensors").metadata
    assert (header["budget"]["patches"], header["budget"]["seed"]) == (16, 3)
    assert header["recipe"]["width"] == 8
    out = tmp_path / "tables"
    options = ["--profile", "smoke", "--table", "1", "--weights", run_folder, "--output", out]
    result = run("evaluate", *options)
    assert result.exit_code == 0, result.output
    assert "X-BDCNN (balanced)" in result.stdout and f"tables: {out}" in result.stdout
    assert "X-BDCNN (balanced)" in set(pd.read_csv(out / "table_1.csv")["method"])
    assert not (out / "table_2.csv").exists()
    again = run("evaluate", *options[:-1], tmp_path / "again", "--compare", out)
    assert f"PSNR of 2 rows differs by at most 0 dB from {out / 'table_1.csv'}" in again.stdout
    result = run("evaluate", *options, "--compare", tmp_path / "again" / "typo")
    assert result.exit_code == 1 and "table_1.csv: not there; name a folder" in errors(result)[0]


def test_every_network_is_trained_with_its_budget(tmp_path, monkeypatch):
    seen, started = {}, []

    def train_named(name, source, config, folder, width, count, pool, initial):
        seen[name] = (config.patches, config.batch_size)
        started.append((initial, config.learning_rates[0]))
        return Path(folder) / "weights"

    monkeypatch.setattr("xbdcnn.training.named.train_named", train_named)
    for name in ("dncnn", "xbdcnn", "xbdcnn-as-written"):
        assert run("train", name, "--profile", "cpu", "--folder", tmp_path).exit_code == 0
    budget = PROFILES["cpu"].train.patches
    assert seen == {
        "dncnn": (budget, 16),
        "xbdcnn": (3 * budget, 8),
        "xbdcnn-as-written": (budget, 16),
    }
    run("train", "xbdcnn", "--patches", "32", "--batch-size", "4", "--folder", tmp_path)
    assert seen["xbdcnn"] == (32, 4) and started[-1] == (None, 1e-3)
    options = ("--initial", tmp_path / "first.safetensors", "--learning-rate", "5e-4")
    run("train", "xbdcnn", *options, "--folder", tmp_path)
    assert started[-1] == (tmp_path / "first.safetensors", 5e-4)
    run("train", "xbdcnn", "--learning-rate", "0", "--folder", tmp_path)
    assert started[-1] == (None, 0.0)


def test_trials_use_the_given_budget(tmp_path, monkeypatch):
    seen = []

    def run_series(name, source, folder, output, seeds, budget):
        seen.append((name, seeds, budget.patches, budget.batch_size))
        return pd.DataFrame({"trial": ["one"], "val_psnr": [30.0]})

    monkeypatch.setattr("xbdcnn.study.trials.run_series", run_series)
    options = ["--seed", "0", "--seed", "2", "--patches", "64", "--batch-size", "4"]
    result = run("trials", "choices", *options)
    assert result.exit_code == 0 and "30" in result.stdout
    assert run("trials", "recipe").exit_code == 0
    assert seen == [("choices", [0, 2], 64, 4), ("recipe", [0], 24_000, 16)]
    result = run("trials", "colour")
    assert result.exit_code == 2 and "recipe, ablation, choices" in result.output


def test_seeds_are_trained_with_the_given_options(tmp_path, monkeypatch):
    seen = []

    def run_seeds(source, folder, output, networks, seeds, width, budget, profile):
        seen.append((list(networks), list(seeds), width, budget.patches, profile.name))
        return pd.DataFrame()

    monkeypatch.setattr("xbdcnn.study.seeds.runs.run_seeds", run_seeds)
    options = ["--network", "dncnn", "--seed", "7", "--width", "64", "--patches", "160"]
    result = run("seeds", *options, "--profile", "smoke", "-o", tmp_path)
    assert result.exit_code == 0 and str(tmp_path) in result.stdout
    assert run("seeds").exit_code == 0
    fairest = ["xbdcnn-fairest", "xbdcnn-fairest-without-ssim", "xbdcnn-fairest-without-nle"]
    assert seen == [
        (["dncnn"], [7], 64, 160, "smoke"),
        ([*fairest, "xbdcnn-as-released", "dncnn"], [0, 1, 2, 3, 4], 32, 100_000, "cpu"),
    ]


def test_merging_seeds_trains_nothing(tmp_path):
    result = run("seeds", "--merge", tmp_path, "-o", tmp_path / "all")
    assert result.exit_code == 1 and "not there; name an output folder" in errors(result)[0]
    assert not (tmp_path / "all").exists()


def test_audit_runs_the_requested_experiments(tmp_path, monkeypatch):
    table = pd.DataFrame({"method": ["X-BDCNN"]})
    monkeypatch.setattr(
        "xbdcnn.study.audit.experiments.run_experiments",
        lambda names, source, output: {names[0]: table},
    )
    result = run("audit", "out-of-range", "--output", tmp_path)
    assert result.exit_code == 0 and "audit_out_of_range.csv, 1 rows" in result.stdout


@pytest.mark.parametrize("kind", ["sample", "exposures", "networks"])
def test_downloads_pass_the_destination_on(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(
        f"xbdcnn.data.{kind}.fetch_{kind}", lambda folder, progress: folder / "filled"
    )
    result = run(f"fetch-{kind}", tmp_path)
    assert result.exit_code == 0 and result.stdout == f"{kind}: {tmp_path / 'filled'}\n"


def test_failing_disk_is_one_line(monkeypatch, tmp_path):
    def fail(folder, progress):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xbdcnn.data.sample.fetch_sample", fail)
    result = run("fetch-sample", tmp_path)
    assert result.exit_code == 1
    assert errors(result) == ["No space left on device; free some space and run it again"]
