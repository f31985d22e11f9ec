"""Write a page without a kernel, serve it on this machine and open it in the browser.

python tools/demo.py    shows the live page, or precomputed states if npm cannot fetch its runtime
"""

from __future__ import annotations

import argparse
import sys
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import live_page
import static_explorer

from xbdcnn._common.errors import XbdcnnError

ROOT = Path(__file__).resolve().parents[1]


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line in the terminal per request."""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def write_demo(folder: Path) -> Path:
    """Write the live page, or precomputed states if its runtime is missing; return index.html."""
    try:
        return live_page.write_page(folder / "live-page")
    except XbdcnnError as error:
        print(f"no live page: {error}. The page has precomputed states instead.", file=sys.stderr)
        return static_explorer.write_page(folder / "explorer-static")


def serve(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of a folder for this machine only; port 0 is any free one."""
    handler = partial(QuietHandler, directory=str(folder))
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


def main() -> None:
    """Write the page, serve it until Ctrl+C, and open it unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="port; default: any free one")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    options = parser.parse_args()
    with serve(write_demo(ROOT / "build").parent, options.port) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        print(f"{address}  (Ctrl+C ends)", flush=True)
        if not options.no_browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
