"""How the command line reports errors: one line on stderr, exit code 1, or 2 for bad use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from xbdcnn.errors import XbdcnnError

# The common base of typer's errors about the command line; typer itself gives it no public name.
UsageError = typer.BadParameter.__base__


class BadUse(XbdcnnError):
    """A value on the command line that cannot be meant; exit code 2 instead of 1."""


class Commands(TyperGroup):
    """Turn every expected error into one line on stderr and an exit code."""

    def invoke(self, ctx: typer.Context) -> Any:
        """Run a command; with --debug let its errors through."""
        try:
            return super().invoke(ctx)
        except (XbdcnnError, OSError) as error:
            if ctx.params["debug"]:
                raise
            complain(error)
            raise typer.Exit(2 if isinstance(error, BadUse) else 1) from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line and leave the interpreter."""
        try:
            code = super().main(*args, **kwargs | {"standalone_mode": False})
        except UsageError as error:
            command = f"{error.ctx.command_path} --help" if error.ctx else "xbdcnn --help"
            complain(f"{error.format_message().rstrip('.')}; see '{command}'")
            code = 2
        except typer.Abort:
            complain("interrupted")
            code = 130
        sys.exit(code or 0)


def complain(error: object) -> None:
    """Print one line about an error on stderr, above any progress bar."""
    from tqdm import tqdm

    tqdm.write(f"xbdcnn: error: {' '.join(str(error).split())}", file=sys.stderr)


@contextmanager
def command_line() -> Iterator[None]:
    """Mark errors about names from the command line as bad use."""
    try:
        yield
    except XbdcnnError as error:
        raise BadUse(str(error)) from None
