"""`python -m xbdcnn.explorer`: the explorer as an app, served by Voilà to this machine only.

Arguments are passed to Voilà, for instance `--port=9000`, `--no-browser` or `--theme=dark`.
Settings are in voila.json: the address 127.0.0.1, and uploads of up to 200 MB, since many DICOM
files are larger than the 10 MB that a notebook server accepts.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> None:
    """Replace this process by Voilà, which runs until it is interrupted."""
    if find_spec("voila") is None:
        sys.exit("the explorer app needs Voilà: pip install 'xbdcnn[explore]'")
    paths = [str(FOLDER), os.environ.get("JUPYTER_CONFIG_PATH")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, paths))
    command = [sys.executable, "-m", "voila", str(FOLDER / "app.ipynb"), *sys.argv[1:]]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
