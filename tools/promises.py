"""Write figures/promises/promises.md: each promise, the tests that verify it, and their counts.

python tools/promises.py --write    after tests were added or a long run has recorded new counts
python tools/promises.py --check    exit code 1 if the table is out of date
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "figures" / "promises"
TABLE = FOLDER / "promises.md"
FILES = (
    "bad_input",
    "cli",
    "dicom",
    "files",
    "fuzz",
    "kills",
    "notebooks",
    "loop",
    "repeating",
    "sample",
    "secrets",
)


@dataclass(frozen=True)
class Promise:
    """A promise and the tests that verify it, as FILE::FUNCTION without "test_"."""

    text: str
    tests: tuple[str, ...]
    record: str | None = None
    """Csv file of a long run, with columns tried, failed and date."""
    unit: str = "files"
    """Unit of the counts of the long run."""


PROMISES = (
    Promise(
        "A bad file among good ones is reported in one line with its name and the remedy; the "
        "other files are processed",
        (
            "bad_input::one_bad_file_among_good_ones",
            "bad_input::an_unreadable_file_among_good_ones",
        ),
    ),
    Promise(
        "A usage error gives exit code 2, and nothing is written",
        ("bad_input::usage_error_writes_nothing", "bad_input::usage_errors_of_other_commands"),
    ),
    Promise(
        "Damaged, unsuitable or altered weights are rejected",
        ("bad_input::bad_weights", "bad_input::shipped_weights_that_were_altered"),
    ),
    Promise(
        "Damaged tables, samples, notebooks and records are rejected",
        (
            "bad_input::bad_tables_of_images",
            "bad_input::a_tampered_image_of_the_sample_is_refused",
            "bad_input::bad_notebooks",
            "bad_input::a_dead_kernel",
            "bad_input::a_damaged_record_of_a_reproduction",
        ),
    ),
    Promise(
        "A full, read-only or failing disk leaves no incomplete file",
        (
            "bad_input::bad_disks",
            "bad_input::a_disk_that_limits_the_file_size",
            "files::atomic_path_replaces_only_on_success",
        ),
    ),
    Promise(
        "Input files are never overwritten, and existing output only on request",
        (
            "cli::an_input_is_never_an_output",
            "cli::existing_output_is_kept_unless_overwriting_is",
            "cli::denoise_a_mixed_folder",
        ),
    ),
    Promise(
        "Mutated files cause no crash, no delay over 10 s, no memory use over 2 GB, and no error "
        "other than the package's own",
        ("fuzz::mutated_files", "fuzz::many_mutated_files"),
        "fuzz.csv",
    ),
    Promise(
        "A process that is killed at a random moment (training, reproduction, patch store, batch) "
        "and restarted gives the same result bit for bit, and no child process remains",
        ("kills::a_few_kills", "kills::many_kills", "loop::resume_is_exact"),
        "kills.csv",
        "kills",
    ),
    Promise(
        "The same profile, images and seed give the same numbers, which the record suffices to "
        "reproduce",
        ("notebooks::two_runs_give_the_same_tables", "repeating::"),
    ),
    Promise(
        "Any array, noise level or window gives a valid result or the package's own error",
        ("fuzz::any_array", "fuzz::any_radiograph", "fuzz::any_noise_level", "fuzz::any_window"),
    ),
    Promise(
        "Where the network changes nothing, every stored value remains the same bit for bit",
        ("dicom::where_the_network_changes_nothing", "dicom::the_built_in_radiograph_survives"),
    ),
    Promise(
        "Grey levels outside the window are not clipped; padding remains padding",
        ("dicom::grey_levels_outside", "dicom::the_change_is_added", "dicom::padding_stays"),
    ),
    Promise(
        "Size, bit depth, photometric interpretation, patient and study are preserved",
        ("dicom::size_bits_meaning_and_patient", "dicom::signed", "dicom::tiff_keeps"),
    ),
    Promise(
        "Derived DICOM objects pass an independent validator (dciodvfy)",
        ("dicom::the_validator_finds_no_error", "dicom::the_validator_finds_nothing_new"),
    ),
    Promise(
        "Messages, logs, file names, records and added text contain no patient name, id or date",
        ("secrets::no_patient",),
    ),
    Promise(
        "Denoising and noise level estimation open no network connection",
        ("secrets::denoising_opens_no_connection",),
    ),
    Promise(
        "No code is loaded from data: no pickle, no eval, no shell",
        ("secrets::no_code_is_loaded_from_data", "secrets::the_search_for_unsafe_code"),
    ),
)


def collected() -> Counter[str]:
    """Count the cases of every test function, as "file::function" without "test_"."""
    files = [str(path) for path in (ROOT / "tests").rglob("test_*.py") if path.stem[5:] in FILES]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    command += ["--no-cov", "-m", ""]  # including long runs
    run = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=True)
    ids = [line for line in run.stdout.splitlines() if "::" in line]
    return Counter(line.partition("[")[0].rpartition("/test_")[2] for line in ids)


def cases(test: str, counts: Counter[str]) -> int:
    """Count the cases of the functions whose name starts with `test`; SystemExit if none."""
    file, _, start = test.partition("::")
    found = sum(n for name, n in counts.items() if name.startswith(f"{file}.py::test_{start}"))
    if not found:
        raise SystemExit(f"tools/promises.py: no test {test}; correct PROMISES")
    return found


def row(promise: Promise, counts: Counter[str]) -> str:
    """Render one row of the table."""
    tried = str(sum(cases(test, counts) for test in promise.tests))
    failed = "0"
    if promise.record:
        with open(FOLDER / promise.record, newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream))
        count = sum(int(line["tried"]) for line in lines)
        tried += f"; {count:,} {promise.unit} on {max(line['date'] for line in lines)}"
        failed = str(sum(int(line["failed"]) for line in lines))
    tests = ", ".join(f"`{test}`" for test in promise.tests)
    return f"| {promise.text} | {tests} | {tried} | {failed} |"


def render() -> str:
    """Render the page."""
    counts = collected()
    head = [
        "# Promises and the tests that verify them",
        "",
        "Written by tools/promises.py. *Tests* gives files and beginnings of function names,",
        "`tests/…/test_FILE.py::test_BEGINNING…`. *Cases* counts their parametrised cases, all of",
        "which pass; a property test is one case with 25 to 200 examples. The counts and failures",
        "of long runs are recorded in csv files in this folder.",
        "",
        "| promise | tests | cases | failures |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *(row(promise, counts) for promise in PROMISES)]) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write or check the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write the table")
    mode.add_argument("--check", action="store_true", help="fail if it is out of date")
    text = render() if parser.parse_args(arguments).write else None
    if text:
        TABLE.write_text(text, encoding="utf-8")
        return 0
    if TABLE.exists() and TABLE.read_text(encoding="utf-8") == render():
        return 0
    print("figures/promises/promises.md is out of date: run tools/promises.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
