"""`python -m benchmarks`: measure the speed of the package on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import run_benchmark
from benchmarks.archive import FILES, measure_archive
from benchmarks.report import readable_table

parser = argparse.ArgumentParser(
    prog="python -m benchmarks",
    description="Compare the speed of the package with a reference implementation and with the "
    "limits of the machine. Close other programs first: seconds depend on the load, ratios less.",
)
parser.add_argument("--quick", action="store_true", help="small images and few rounds, 1-2 minutes")
parser.add_argument("-o", "--output", type=Path, default=Path("build/benchmark"), help="folder")
parser.add_argument("--device", default="cpu", help="cpu or cuda")
parser.add_argument("--rounds", type=int, help="number of rounds")
parser.add_argument(
    "--archive",
    type=int,
    nargs="?",
    const=FILES,
    metavar="N",
    help=f"measure `xbdcnn denoise` on N files ({FILES} by default) of 512 x 512 pixels instead",
)
parser.add_argument(
    "--jobs", type=int, nargs="+", help="numbers of processes for --archive; default: 1 and cores"
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    given = parser.parse_args(arguments)
    if given.archive:
        table = measure_archive(given.output, given.archive, given.jobs)
        print(table.round(2).to_string(index=False))
    else:
        table = run_benchmark(given.output, given.quick, given.device, given.rounds)
        print(readable_table(table).to_string(index=False))
    print(f"files are in {given.output}")


if __name__ == "__main__":
    main()
