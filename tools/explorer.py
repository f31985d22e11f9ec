"""Render the explorer without a kernel: python tools/explorer.py --page DIR --gif FILE."""

from __future__ import annotations

import argparse
from pathlib import Path

from xbdcnn.explorer.still import write_gif, write_page


def main() -> None:
    """Write what was asked for and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, metavar="DIR", help="folder for the static page")
    parser.add_argument("--gif", type=Path, metavar="FILE", help="the moving picture")
    wanted = parser.parse_args()
    if wanted.page:
        print(write_page(wanted.page))
    if wanted.gif:
        print(write_gif(wanted.gif))


if __name__ == "__main__":
    main()
