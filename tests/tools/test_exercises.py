"""Notebook 10: every task has a starter that fails its check and a solution that passes it."""

from __future__ import annotations

import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import exercises
import jupytext
import pytest
import torch
from exercises import SOURCE, tags
from nbformat import NotebookNode

from xbdcnn.study.reproduce.execution import read_notebook

KINDS = ("starter", "solution", "check")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Use one thread: for networks as small as these, more threads are slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def by_task(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Yield each cell with the number of the task it belongs to, 0 before the first task."""
    task = 0
    for cell in notebook.cells:
        if found := re.findall(r"^### Task (\d+)", cell.source, flags=re.MULTILINE):
            task = int(found[-1])
        yield task, cell


def kinds(notebook: NotebookNode) -> dict[int, list[str]]:
    """Return the kinds of code cells of each task, in order."""
    found: dict[int, list[str]] = {}
    for task, cell in by_task(notebook):
        if cell.cell_type == "code" and (kind := set(KINDS) & set(tags(cell))):
            found.setdefault(task, []).extend(kind)
    return found


def check_messages(notebook: NotebookNode, output: Path) -> dict[int, str]:
    """Run all cells at profile smoke; return the message of each task's check, "" if it passes.

    No cell but a check may raise, and a check only AssertionError.
    """
    namespace: dict[str, object] = {"__name__": "exercises"}
    messages = {}
    for task, cell in by_task(notebook):
        if cell.cell_type != "code":
            continue
        code = compile(cell.source, f"task {task}", "exec")
        if "parameters" in tags(cell):
            namespace |= {"profile": "smoke", "data": "builtin", "output": str(output)}
        elif "check" not in tags(cell):
            exec(code, namespace)
        else:
            messages[task] = ""
            try:
                exec(code, namespace)
            except AssertionError as error:
                messages[task] = str(error) or "no message"
    return messages


def test_every_task_has_starter_solution_and_check_in_order():
    found = kinds(read_notebook(SOURCE).content)
    assert list(found) == list(range(1, len(found) + 1)) and len(found) >= 12
    assert all(parts == list(KINDS) for parts in found.values()), found


def test_introduction_states_the_number_of_tasks():
    numbers = {"twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16}
    notebook = read_notebook(SOURCE).content
    announced = re.search(r"Here are (\w+) tasks", notebook.cells[0].source)[1]
    assert numbers[announced] == len(kinds(notebook))


def test_student_version_lacks_the_solutions_only():
    full, student = read_notebook(SOURCE).content, exercises.unsolved()
    removed = [cell for cell in full.cells if "solution" in tags(cell)]
    assert all(parts == ["starter", "check"] for parts in kinds(student).values())
    assert len(kinds(student)) == len(kinds(full))
    assert len(student.cells) == len(full.cells) - len(removed)
    text = "\n".join(cell.source for cell in student.cells)
    assert not [cell.source for cell in removed if cell.source in text]


def test_student_version_contains_its_pictures():
    first = exercises.unsolved().cells[0]
    (name,) = re.findall(r"\]\(attachment:(.+?)\)", first.source)
    data = b64decode(first.attachments[name]["image/png"])
    assert data == (exercises.ROOT / "figures" / name).read_bytes()


@pytest.mark.slow
def test_student_version_is_written_to_the_given_path(tmp_path):
    target = tmp_path / "class" / "exercises.ipynb"
    command = [sys.executable, exercises.__file__, "--output", str(target)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    written = [cell.source for cell in jupytext.read(target).cells]
    assert written == [cell.source for cell in exercises.unsolved().cells]


@pytest.mark.slow
def test_every_check_fails_on_its_starter(one_thread, tmp_path):
    messages = check_messages(exercises.unsolved(), tmp_path)
    assert len(messages) >= 12
    assert [task for task, message in messages.items() if not message] == []


@pytest.mark.slow
def test_every_check_passes_with_its_solution(one_thread, tmp_path):
    messages = check_messages(read_notebook(SOURCE).content, tmp_path)
    assert len(messages) >= 12
    assert {task: message for task, message in messages.items() if message} == {}
