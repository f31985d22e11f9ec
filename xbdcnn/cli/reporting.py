"""How the command line reports errors: one line on stderr, exit code 1, or 2 for bad use."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

from xbdcnn._common.errors import XbdcnnError

# The common base of typer's errors about the command line; typer itself gives it no public name.
UsageError = typer.BadParameter.__base__


REMEDIES = {
    errno.ENOSPC: "free some space and run it again",
    errno.EDQUOT: "free some space and run it again",
    errno.EFBIG: "the disk allows no file of this size; write to another one",
    errno.EACCES: "check the permissions",
    errno.EPERM: "check the permissions",
    errno.EROFS: "choose a folder that can be written to",
    errno.ENAMETOOLONG: "shorten the name",
    errno.ELOOP: "remove the loop of links",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
}
"""What to do about an error of the operating system."""


class BadUse(XbdcnnError):
    """A value on the command line that cannot be meant; exit code 2 instead of 1."""


class Commands(TyperGroup):
    """Turn every expected error into one line on stderr and an exit code."""

    def invoke(self, ctx: typer.Context) -> Any:
        """Run a command; with --debug let its errors through."""
        try:
            return super().invoke(ctx)
        except (XbdcnnError, OSError, MemoryError) as error:
            if ctx.params["debug"]:
                raise
            print_error(error)
            raise typer.Exit(2 if isinstance(error, BadUse) else 1) from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line and leave the interpreter."""
        try:
            code = super().main(*args, **kwargs | {"standalone_mode": False})
        except UsageError as error:
            command = f"{error.ctx.command_path} --help" if error.ctx else "xbdcnn --help"
            print_error(f"{error.format_message().rstrip('.')}; see '{command}'")
            code = 2
        except typer.Abort:
            print_error("interrupted")
            code = 130
        sys.exit(code or 0)


def print_error(error: object, file: Path | None = None) -> None:
    """Print one line about an error on stderr; it names `file`, which the error is about."""
    text = explained(error)
    if file is not None and str(file) not in text:
        text = f"{file}: {text}"
    _write(f"xbdcnn: error: {text}", sys.stderr)


def say(text: str, on_stderr: bool = False) -> None:
    """Print one line, above any progress bar."""
    _write(text, sys.stderr if on_stderr else sys.stdout)


def _write(text: str, stream: TextIO) -> None:
    """Print on one line whatever a file may be called: line breaks and undecodable bytes, too."""
    from tqdm import tqdm

    encoding = stream.encoding or "utf-8"
    plain = " ".join(text.split()).encode(encoding, "replace").decode(encoding)
    tqdm.write(plain, file=stream)


def explained(error: object) -> str:
    """An error's message; one of the operating system gets a remedy."""
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs or crop the image"
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    remedy = REMEDIES.get(error.errno, "check the disk and the path")
    named = Path(os.fsdecode(error.filename or ""))
    if named.name.startswith(".tmp-"):  # a temporary name tells nobody anything
        named = named.parent
    where = f"{named}: " if error.filename else ""
    return f"{where}{error.strerror or type(error).__name__}; {remedy}"


@contextmanager
def command_line() -> Iterator[None]:
    """Mark errors about names from the command line as bad use."""
    try:
        yield
    except XbdcnnError as error:
        raise BadUse(str(error)) from None
