"""No patient data leave the DICOM object, nothing is unpickled, no connection is opened."""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path

import dicoms
import pydicom
import pytest
from paths import ROOT
from pydicom.uid import JPEG2000Lossless
from typer.testing import CliRunner

from xbdcnn.cli import app

SECRETS = [
    *dicoms.IDENTIFYING_VALUES.values(),
    "Quixotewitz",
    "Dulcinea",
    "Panzawright",
    "11 SEP 2003",
]


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def defective_headers() -> dict[str, pydicom.Dataset]:
    """Objects with the patient's name in defective attributes, by the defect."""
    name = dicoms.IDENTIFYING_VALUES["PatientName"]
    unreadable = dicoms.radiograph("CR", dicoms.ramp(12, (64, 64)))
    unreadable.compress(JPEG2000Lossless, generate_instance_uid=False)
    unreadable.PixelData = unreadable.PixelData[:200] + bytes(len(unreadable.PixelData) - 200)
    return {
        "valid": dicoms.radiograph("CR", SeriesDescription=name, ImageComments=name),
        "photometric": dicoms.radiograph("CR", PhotometricInterpretation=name),
        "modality": dicoms.radiograph("CR", SOPClassUID="1.2.840.10008.5.1.4.1.1.2"),
        "window": dicoms.radiograph(
            "CR", WindowCenter=5, WindowWidth=5000, VOILUTFunction=name.upper()
        ),
        "undecodable": unreadable,
        "time zone": dicoms.radiograph("CR", TimezoneOffsetFromUTC=name[:5]),
    }


def put_text_in_number(path: Path, tag: bytes, text: str) -> None:
    """Write text into a numeric attribute, as a defective exporter does."""
    content = path.read_bytes()
    place = content.index(tag) + 8
    length = int.from_bytes(content[place - 2 : place], "little")
    path.write_bytes(
        content[:place] + text.encode().ljust(length)[:length] + content[place + length :]
    )


def assert_no_secret(*texts: str) -> None:
    for text in texts:
        for secret in SECRETS:
            assert secret.lower() not in text.lower()


@pytest.mark.slow
def test_no_patient_in_messages_file_names_or_added_text(tmp_path, weights, caplog, recwarn):
    folder, out = tmp_path / "scans", tmp_path / "out"
    folder.mkdir()
    for name, header in defective_headers().items():
        dicoms.write(folder / f"{name}.dcm", header)
    header = dicoms.radiograph("CR", WindowCenter=100000000000, WindowWidth=100000000000)
    dicoms.write(folder / "number.dcm", header)
    put_text_in_number(folder / "number.dcm", b"\x28\x00\x50\x10DS", "Quixotewitz")
    caplog.clear()  # writing such files gives warnings
    recwarn.clear()
    result = run("denoise", folder, "-o", out, "--network", weights)
    assert result.exit_code == 1 and len(result.stderr.splitlines()) >= 3
    again = run("denoise", folder, "--estimate-only", "--network", weights)
    assert_no_secret(result.output, again.output, caplog.text, *(str(w.message) for w in recwarn))
    for path in out.iterdir():
        derived = pydicom.dcmread(path)
        assert_no_secret(path.name, derived.DerivationDescription)
        assert_no_secret(str(derived.ContributingEquipmentSequence[0]), str(derived.file_meta))
        # The patient module is kept: the derived object belongs to the patient.
        assert derived.PatientName == dicoms.IDENTIFYING_VALUES["PatientName"]
    assert "valid.dcm" in {path.name for path in out.iterdir()}


@pytest.mark.slow
def test_no_patient_in_a_weight_file_or_a_record(tmp_path, monkeypatch):
    """Provenance names the source of the images, not files or header values."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    for number in range(12):
        header = dicoms.radiograph("CR", dicoms.ramp(12, (64, 64)))
        dicoms.write(folder / "images" / f"{number}.dcm", header)
    sizes = ["--patches", "8", "--batch-size", "4"]
    arguments = [
        "train",
        "dncnn",
        "--profile",
        "smoke",
        "--data",
        folder,
        "--folder",
        tmp_path / "r",
    ]
    result = run(*arguments, *sizes)
    assert result.exit_code == 0, result.output
    written = [path.read_bytes().decode("latin-1") for path in (tmp_path / "r").rglob("*.*")]
    assert len(written) >= 3
    assert_no_secret(result.output, *written)


@pytest.fixture
def no_network(monkeypatch):
    """Make every attempt to use the network an error."""

    def refuse(*arguments, **options):
        raise AssertionError(f"network access: {arguments}")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)


def test_network_guard_raises(no_network):
    import urllib.request

    with pytest.raises(AssertionError, match="network access"):
        urllib.request.urlopen("http://127.0.0.1:9/", timeout=1)


@pytest.mark.parametrize("options", [["--estimate-only"], ["-o", "{out}"]])
def test_denoising_opens_no_connection(tmp_path, no_network, options):
    path = dicoms.write(tmp_path / "a.dcm", dicoms.radiograph("CR"))
    options = [option.format(out=tmp_path / "out") for option in options]
    result = run("denoise", path, *options)
    assert result.exit_code == 0, result.output


# --- the code itself ------------------------------------------------------------------------

SOURCES = [p for f in ("xbdcnn", "tools", "notebooks") for p in (ROOT / f).rglob("*.py")]
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"eval", "exec", "os.system", "os.popen", "pd.read_pickle"}


def unsafe(tree: ast.AST) -> list[str]:
    """Return the imports and calls of a module that could run code from data."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.partition(".")[0] in UNSAFE_MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module in UNSAFE_MODULES:
            # Importing the exception alone is safe.
            found += [a.name for a in node.names if a.name != "UnpicklingError"]
        elif isinstance(node, ast.Call):
            found += unsafe_call(node)
    return found


def unsafe_call(call: ast.Call) -> list[str]:
    name = ast.unparse(call.func)
    options = {word.arg: ast.unparse(word.value) for word in call.keywords}
    if name == "torch.load" and options.get("weights_only") != "True":
        return ["torch.load without weights_only=True"]
    if options.get("allow_pickle") == "True" or options.get("shell") == "True":
        return [f"{name} with {options}"]
    return [name] if name in UNSAFE_CALLS else []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from dill import load",
        "torch.load(p)",
        "np.load(p, allow_pickle=True)",
        "eval(text)",
        "os.system(text)",
        "pd.read_pickle(p)",
        "run(c, shell=True)",
    ],
)
def test_the_search_for_unsafe_code_finds_it(text):
    assert unsafe(ast.parse(text))


@pytest.mark.parametrize("text", ["network.eval()", "torch.load(p, weights_only=True)"])
def test_the_search_for_unsafe_code_accepts_safe_code(text):
    assert not unsafe(ast.parse(text))


def test_no_code_is_loaded_from_data():
    assert len(SOURCES) > 50
    found = {path.name: unsafe(ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES}
    assert not {name: calls for name, calls in found.items() if calls}


def test_only_the_downloading_modules_contain_addresses():
    """A module that downloads anything would contain an address."""
    named = {
        (path.name, host)
        for path in (ROOT / "xbdcnn").rglob("*.py")
        for host in re.findall(r"https?://([\w.-]+)", path.read_text(encoding="utf-8"))
    }
    assert named == {
        ("elsewhere.py", "git-lfs.github.com"),  # the first line of a Git LFS pointer file
        ("exposures.py", "raw.githubusercontent.com"),
        ("networks.py", "github.com"),  # the attribution; it downloads as `exposures` does
        ("sample.py", "raw.githubusercontent.com"),
        ("sample.py", "nihcc.app.box.com"),
    }


def test_servers_listen_on_this_machine_only():
    """Neither the Makefile nor a module serves other machines or removes the token."""
    for path in (ROOT / "Makefile", *SOURCES):
        if path != Path(__file__):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"0\.0\.0\.0|(token|password)=['\"]{2}|--ip[= ]['\"]?\*", text), (
                path
            )
