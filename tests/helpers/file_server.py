"""A local HTTP server of a few files, for the tests of downloads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server:
    """A server on 127.0.0.1 of files by name, below the folder `url`.

    It records the names and the paths that are requested; names in `failing_once` fail once.
    """

    def __init__(self, files: dict[str, bytes], folder: str) -> None:
        self.files, self.requests, self.paths, self.failing_once = dict(files), [], [], set()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                owner.requests.append(name)
                owner.paths.append(self.path)
                body = None if name in owner.failing_once else owner.files.get(name)
                owner.failing_once.discard(name)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/{folder}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@contextmanager
def serving(files: dict[str, bytes], folder: str) -> Iterator[Server]:
    """Run a server without a proxy in between; close it afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(variable, raising=False)
        running = Server(files, folder)
        yield running
        running.close()
