"""The equations of the paper that a text mentions, as in Eq. 3, Eq. 1 and 2, or Eq. 3-8."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

EQUATIONS = range(1, 9)
"""Numbers of the paper's equations."""

_PATTERN = re.compile(r"Eq\.\s?([1-8](?!\d)(?:(?:,? and |, | to |\s?[-–]\s?)[1-8](?![\w.]\w))*)")


class Mention(NamedTuple):
    """A mention, its place in the text, and the numbers that it names, in their order."""

    text: str
    start: int
    end: int
    numbers: tuple[int, ...]


def equation_mentions(text: str) -> Iterator[Mention]:
    """Find all mentions of equations in a text."""
    for found in _PATTERN.finditer(text):
        yield Mention(found[0], *found.span(), _numbers(found[1]))


def equations_mentioned(text: str) -> set[int]:
    """Return the numbers of all equations that a text mentions."""
    return {number for mention in equation_mentions(text) for number in mention.numbers}


def equations_computed(docstring: str) -> set[int]:
    """Return the numbers of the equations with which a docstring begins."""
    first = next(equation_mentions(docstring), None)
    return set(first.numbers) if first and first.start == 0 else set()


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers in "3", "1 and 2", "3-8" or "3, 5, 6"."""
    found = tuple(map(int, re.findall(r"\d", text)))
    is_range = re.fullmatch(r"\d(?: to |\s?[-–]\s?)\d", text)
    return tuple(range(found[0], found[1] + 1)) if is_range else found
