"""Write figures/promises/promises.md: each promise, the tests that hold it, and how much they try.

python tools/promises.py --write    after tests were added, or a long run has left new counts
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
    """A sentence, and the tests that hold it: FILE::FUNCTION without "test_"."""

    text: str
    tests: tuple[str, ...]
    record: str | None = None
    """A csv that a long run has written, with columns tried, failed and date."""
    unit: str = "files"
    """What the long run has tried."""


PROMISES = (
    Promise(
        "A bad file among good ones is one line that names file and remedy; the others are done",
        ("bad_input::one_bad_file_among_good_ones", "bad_input::a_file_that_must_not_be_read"),
    ),
    Promise(
        "Bad use is exit code 2, and nothing is written",
        ("bad_input::bad_use_writes_nothing", "bad_input::bad_use_of_other_commands"),
    ),
    Promise(
        "Damaged, wrong or altered weights are refused",
        ("bad_input::bad_weights", "bad_input::shipped_weights_that_were_altered"),
    ),
    Promise(
        "Damaged tables, samples, notebooks and records are refused",
        (
            "bad_input::bad_tables_of_images",
            "bad_input::a_tampered_image_of_the_sample_is_refused",
            "bad_input::bad_notebooks",
            "bad_input::a_dead_kernel",
            "bad_input::a_rotten_record",
        ),
    ),
    Promise(
        "A full, read-only or failing disk leaves nothing half-written",
        (
            "bad_input::bad_disks",
            "bad_input::a_disk_that_takes_only_a_part_of_a_file",
            "files::atomic_path_replaces_only_on_success",
        ),
    ),
    Promise(
        "An input is never an output, and no output is replaced unasked",
        (
            "cli::an_input_is_never_an_output",
            "cli::existing_output_is_kept_unless_overwriting_is",
            "cli::denoise_a_mixed_folder",
        ),
    ),
    Promise(
        "Mutated files: no crash, no hang over 10 s, no memory over 2 GB, no error but our own",
        ("fuzz::mutated_files", "fuzz::many_mutated_files"),
        "fuzz.csv",
    ),
    Promise(
        "Killed at a random moment (training, reproduce, patch store, batch): started again, it "
        "goes on to the same result, bit for bit, and no helper process stays",
        ("kills::a_few_kills", "kills::many_kills", "loop::resume_is_exact"),
        "kills.csv",
        "kills",
    ),
    Promise(
        "Same profile, images and seed: the same numbers, and a record is enough to repeat them",
        ("notebooks::two_runs_give_the_same_tables", "repeating::"),
    ),
    Promise(
        "Any array, level or window gives a sound result or our own error",
        ("fuzz::any_array", "fuzz::any_radiograph", "fuzz::any_noise_level", "fuzz::any_window"),
    ),
    Promise(
        "Where the network changes nothing, every stored number stays the same, bit for bit",
        ("dicom::where_the_network_changes_nothing", "dicom::the_built_in_radiograph_survives"),
    ),
    Promise(
        "Grey levels outside the window are not cut; padding stays padding",
        ("dicom::grey_levels_outside", "dicom::the_change_is_added", "dicom::padding_stays"),
    ),
    Promise(
        "Size, bits, photometric meaning, patient and study are kept",
        ("dicom::size_bits_meaning_and_patient", "dicom::signed", "dicom::tiff_keeps"),
    ),
    Promise(
        "A derived DICOM object is valid by an independent validator (dciodvfy)",
        ("dicom::the_validator_finds_no_error", "dicom::the_validator_finds_nothing_new"),
    ),
    Promise(
        "No patient's name, id or date in messages, logs, names, records or added text",
        ("secrets::no_patient",),
    ),
    Promise("Denoising and estimating call nobody", ("secrets::denoising_calls_nobody",)),
    Promise(
        "No code is taken from data: no pickle, no eval, no shell",
        ("secrets::no_code_is_ever_taken_from_data", "secrets::the_search_for_unsafe_code"),
    ),
)


def collected() -> Counter[str]:
    """Count the cases of every test function, as "file::function" without "test_"."""
    files = [str(path) for path in (ROOT / "tests").rglob("test_*.py") if path.stem[5:] in FILES]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    command += ["--no-cov", "-m", ""]  # the long runs, too
    run = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=True)
    ids = [line for line in run.stdout.splitlines() if "::" in line]
    return Counter(line.partition("[")[0].rpartition("/test_")[2] for line in ids)


def cases(test: str, counts: Counter[str]) -> int:
    """Cases of the functions whose name begins as `test` says; at least one, or SystemExit."""
    file, _, start = test.partition("::")
    found = sum(n for name, n in counts.items() if name.startswith(f"{file}.py::test_{start}"))
    if not found:
        raise SystemExit(f"tools/promises.py: no test {test}; correct PROMISES")
    return found


def row(promise: Promise, counts: Counter[str]) -> str:
    """One line of the table."""
    tried = str(sum(cases(test, counts) for test in promise.tests))
    lost = "0, by passing"
    if promise.record:
        with open(FOLDER / promise.record, newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream))
        count = sum(int(line["tried"]) for line in lines)
        tried += f"; {count:,} {promise.unit} on {max(line['date'] for line in lines)}"
        lost = str(sum(int(line["failed"]) for line in lines))
    held = ", ".join(f"`{test}`" for test in promise.tests)
    return f"| {promise.text} | {held} | {tried} | {lost} |"


def render() -> str:
    """Return the text of the table."""
    counts = collected()
    head = [
        "# What is promised, and what holds it",
        "",
        "Written by tools/promises.py. *Held by* names test functions by file and beginning,",
        "`tests/…/test_FILE.py::test_BEGINNING…`; *tried* counts their cases. A property test is",
        "one case, of 25 to 200 examples. Long runs add what they have recorded here in csv files.",
        "",
        "| promise | held by | tried | lost |",
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
