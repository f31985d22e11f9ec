"""Errors on the command line: one line on stderr, and exit code 1, or 2 for a wrong usage."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli.extras import missing_extra

# The base class of typer's errors about the command line, which has no public name.
TyperUsageError: Any = typer.BadParameter.__base__

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
"""Remedy for an error of the operating system."""

CONTINUED = {
    "denoise": "restored files are kept; continue with --resume",
    "evaluate": "continue with --resume",
    **dict.fromkeys(
        ("train", "trials", "seeds"), "run it again to continue from the last checkpoint"
    ),
    "reproduce": "run it again to continue after the last finished notebook",
    **dict.fromkeys(
        ("fetch-sample", "fetch-exposures", "fetch-networks"), "run it again to continue"
    ),
}
"""How to continue after Ctrl-C, by command."""

INTERRUPTED, PIPE_CLOSED = 130, 141
"""Exit codes after Ctrl-C, and if the reader of the output has left: 128 and the signal."""


class UsageError(XbdcnnError):
    """An invalid value on the command line; exit code 2 instead of 1."""


class Commands(TyperGroup):
    """A group of commands that reports expected errors in one line, with an exit code."""

    # Typer passes its public Context, but annotates the private base class of it.
    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command; with --debug, raise its errors."""
        try:
            with _missing_extras_named(ctx):
                return super().invoke(ctx)
        except KeyboardInterrupt:
            hint = CONTINUED.get(str(ctx.invoked_subcommand))
            print_error(f"interrupted; {hint}" if hint else "interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _discard(sys.stdout)
            raise typer.Exit(PIPE_CLOSED) from None
        except (XbdcnnError, OSError, MemoryError) as error:
            if ctx.params["debug"]:
                raise
            print_error(error)
            raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line and exit the interpreter."""
        try:
            code = super().main(*args, **kwargs | {"standalone_mode": False})
        except TyperUsageError as error:
            command = f"{error.ctx.command_path} --help" if error.ctx else "xbdcnn --help"
            print_error(f"{error.format_message().rstrip('.')}; see '{command}'")
            code = 2
        sys.exit(code or 0)


@contextmanager
def _missing_extras_named(ctx: typer.Context) -> Iterator[None]:
    """Convert the failed import of an optional package into an XbdcnnError with its extra."""
    try:
        yield
    except ImportError as error:
        if (missing := missing_extra(error)) is None:
            raise
        raise XbdcnnError(f"'{ctx.invoked_subcommand}' needs {missing}") from error


@contextmanager
def usage_errors() -> Iterator[None]:
    """Convert an XbdcnnError about a value on the command line into a UsageError."""
    try:
        yield
    except XbdcnnError as error:
        raise UsageError(str(error)) from None


def print_error(error: object, file: Path | None = None) -> None:
    """Print an error in one line on stderr; prefix it with `file` unless the message names it."""
    text = error_text(error)
    if file is not None and str(file) not in text:
        text = f"{file}: {text}"
    print_log(f"xbdcnn: error: {text}", on_stderr=True)


def print_log(text: str, on_stderr: bool = False) -> None:
    """Print one line about work that is done; without effect if nobody reads the output."""
    try:
        print_line(text, on_stderr)
    except BrokenPipeError:
        _discard(sys.stderr if on_stderr else sys.stdout)


def print_line(text: str, on_stderr: bool = False) -> None:
    """Print one line above any progress bar, even if a file name has line breaks or odd bytes.

    Raises:
        BrokenPipeError: the reader of the output has left, e.g. `head`.
    """
    from tqdm import tqdm

    stream = sys.stderr if on_stderr else sys.stdout
    encoding = stream.encoding or "utf-8"
    tqdm.write(" ".join(text.split()).encode(encoding, "replace").decode(encoding), file=stream)
    stream.flush()  # a closed pipe is noticed here, not at some later line


def _discard(stream: TextIO) -> None:
    """Redirect a closed pipe to nowhere, so that the interpreter can flush it when it exits."""
    with suppress(OSError, ValueError):  # a stream without a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def error_text(error: object) -> str:
    """Return the message of an error; one of the operating system is completed by a remedy."""
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs or crop the image"
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    remedy = REMEDIES.get(error.errno, "check the disk and the path")
    path = Path(os.fsdecode(error.filename or ""))
    if path.name.startswith(".tmp-"):  # the name of a temporary file does not help the user
        path = path.parent
    where = f"{path}: " if error.filename else ""
    return f"{where}{error.strerror or type(error).__name__}; {remedy}"
