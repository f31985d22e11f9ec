"""`python -m xbdcnn.explorer`: the explorer as an app, served by Voilà to this machine only.

Arguments are passed to Voilà, for instance `--port=9000`, `--no-browser` or `--theme=dark`.
Settings are in voila.json: the address 127.0.0.1, uploads of up to 200 MB, since many DICOM files
are larger than the 10 MB that a notebook server accepts, and the end of kernels without a page. The
page's template is in share/.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> None:
    """Replace this process by the server, which runs until it is interrupted."""
    if find_spec("voila") is None:
        sys.exit("the explorer app needs Voilà: pip install 'xbdcnn[explore]'")
    _prepend("JUPYTER_CONFIG_PATH", FOLDER)
    _prepend("JUPYTER_PATH", FOLDER / "share")
    # -P: the folder of the script is not searched for modules.
    command = [sys.executable, "-P", str(FOLDER / "server.py"), str(FOLDER / "app.ipynb")]
    os.execv(sys.executable, [*command, *sys.argv[1:]])


def _prepend(variable: str, folder: Path) -> None:
    """Put a folder in front of those of an environment variable."""
    os.environ[variable] = os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))


if __name__ == "__main__":
    main()
