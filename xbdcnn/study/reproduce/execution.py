"""Read one notebook, check its parameters, and execute it with the running interpreter."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path

PARAMETERS = ("profile", "data", "output")
"""Variables that the cell tagged `parameters` of every notebook assigns."""

INJECTED = "injected-parameters"
KERNELSPEC = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
INLINE = "module://matplotlib_inline.backend_inline"

_NEEDS = re.compile(r"needs:(\w+)(?:@([\w+]+))?")


class NotebookFailed(XbdcnnError):
    """A cell raised an exception or the kernel died; the message names notebook, cell and error."""


@dataclass(frozen=True)
class Notebook:
    """A notebook as read from its source file."""

    source: Path
    content: Any
    """nbformat node without outputs; cell ids are made of the name and the position."""

    @property
    def name(self) -> str:
        """File name without suffix, e.g. 06_tables."""
        return self.source.stem

    def needs(self, profile: str) -> list[str]:
        """Return the names of the notebooks whose products this one reads.

        They are declared by cell tags: `needs:05_train`, or `needs:05_train@cpu+paper` if only
        these profiles read them.
        """
        tags = [tag for cell in self.content.cells for tag in cell.metadata.get("tags", [])]
        found = [match for tag in tags if (match := _NEEDS.fullmatch(tag))]
        return [m[1] for m in found if m[2] is None or profile in m[2].split("+")]


class ThisInterpreter(AsyncKernelManager):
    """Start kernels with the running Python, whatever kernels are registered."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """Specification of ipykernel with `sys.executable` and inline figures."""
        # Warnings about the unencrypted connection to a local kernel would fill the report.
        spec = get_kernel_dict(extra_arguments=["--log-level=ERROR"])
        facts = {"argv": spec["argv"], "metadata": spec["metadata"], "language": "python"}
        return KernelSpec(**facts, env={"MPLBACKEND": INLINE})


def read_notebook(source: Path) -> Notebook:
    """Read a source in percent format; the cell ids depend only on name and position."""
    content = jupytext.read(source, fmt="py:percent")
    content.nbformat_minor = 5
    content.metadata = type(content.metadata)(kernelspec=KERNELSPEC)
    for number, cell in enumerate(content.cells, start=1):
        cell["id"] = f"{source.stem}-{number:03d}"[-64:]
    return Notebook(source, content)


def check_parameters(notebook: Notebook, parameters: Iterable[str] = PARAMETERS) -> None:
    """Raise XbdcnnError unless the parameters cell assigns every one of the `parameters`.

    Papermill only warns of an unknown parameter, and runs with the default of a mistyped one.
    """
    known = papermill.inspect_notebook(notebook.content)
    if unknown := [name for name in parameters if name not in known]:
        raise XbdcnnError(
            f"{notebook.source.name}: unknown parameter {', '.join(unknown)}; its cell "
            f"tagged `parameters` assigns {', '.join(known) or 'none'}; use these or assign it"
        )


def execute(
    notebook: Notebook, folder: Path, parameters: dict[str, Any], bar: dict[str, Any] | bool
) -> Path:
    """Execute a notebook in `folder` and write it there with its outputs.

    Args:
        notebook: the notebook to execute.
        folder: working directory of the kernel, to which <name>.ipynb is written.
        parameters: values for the parameters cell.
        bar: tqdm options of a progress bar over cells, or False.

    Raises:
        NotebookFailed: <name>.failed.ipynb contains everything up to the failure.
        XbdcnnError: a parameter is not in the parameters cell.
    """
    check_parameters(notebook, parameters)
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # it also logs what it raises
    folder = folder.resolve()
    target, failed = (folder / f"{notebook.name}{end}" for end in (".ipynb", ".failed.ipynb"))
    failed.unlink(missing_ok=True)
    with atomic_path(target) as temporary:
        try:
            executed = papermill.execute_notebook(
                notebook.content,
                re.sub("([{}])", r"\1\1", str(temporary)),  # papermill replaces {names}
                parameters,
                cwd=folder,
                progress_bar=bar,
                kernel_manager_class=ThisInterpreter,
            )
            if executed.metadata.papermill.exception:
                raise RuntimeError("SystemExit: the notebook left before its end")
        # A kernel that died is reported as a RuntimeError.
        except (papermill.PapermillExecutionError, RuntimeError) as error:
            partial = jupytext.read(temporary)
            _write(partial, temporary)
            shutil.copyfile(temporary, failed)
            raise NotebookFailed(_message(notebook, partial, error, failed)) from error
        _write(executed, temporary)
    return target


def _write(content: Any, path: Path) -> None:
    """Write an executed notebook without the temporary path that papermill records."""
    for name in ("input_path", "output_path"):
        content.metadata.papermill.pop(name, None)
    jupytext.write(content, path, fmt="ipynb")


def _message(notebook: Notebook, partial: Any, error: Exception, failed: Path) -> str:
    """Compose one line: notebook, cell, first line of the cell, and error."""
    if isinstance(error, papermill.PapermillExecutionError):
        reason = f"{error.ename}: {error.evalue}"
    else:
        reason = str(error)
    started = {
        cell.id for cell in partial.cells if cell.metadata.get("papermill", {}).get("start_time")
    }
    numbered = list(enumerate(notebook.content.cells, start=1))
    place, first = max(((n, c.source) for n, c in numbered if c.id in started), default=(0, ""))
    lines = first.strip().splitlines()
    where = f", cell {place} `{lines[0]}`" if lines else ""
    reason = " ".join(reason.split())[:300]
    return f"{notebook.name}{where}: {reason}; see {failed.parent.name}/{failed.name}"
