"""Usable cores and memory, with the limits of containers and of jobs of a batch system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xbdcnn._common import machine

GIB = 2**30


@pytest.fixture
def linux(tmp_path, monkeypatch) -> Path:
    """A machine of 64 cores with 100 GiB of free memory, and a job in a control group."""
    (tmp_path / "meminfo").write_text(f"MemTotal: 200000000 kB\nMemAvailable:   {100 * 2**20} kB\n")
    (tmp_path / "cgroup").write_text("0::/batch/job_7\n")
    job = tmp_path / "fs" / "batch" / "job_7"
    job.mkdir(parents=True)
    monkeypatch.setattr(machine, "MEMORY_INFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "OWN_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(os, "sysconf", lambda _: 2**20)
    return job


def test_machine_without_limits(linux):
    (linux / "memory.max").write_text("max\n")
    (linux / "cpu.max").write_text("max 100000\n")
    assert machine.usable_cores() == 64 and machine.usable_memory() == 100 * GIB


@pytest.mark.parametrize("depth", [0, 1])
def test_limits_of_a_job_or_of_a_group_around_it_count(linux, depth):
    place = [linux, linux.parent][depth]
    (place / "memory.max").write_text(f"{16 * GIB}\n")
    (place / "cpu.max").write_text("250000 100000\n")
    assert machine.usable_cores() == 2 and machine.usable_memory() == 16 * GIB


def test_less_than_one_core_is_one(linux):
    (linux / "cpu.max").write_text("50000 100000\n")
    assert machine.usable_cores() == 1


def test_systems_without_these_files(linux, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "MEMORY_INFO", tmp_path / "absent")
    monkeypatch.setattr(machine, "OWN_CGROUP", tmp_path / "absent")
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert machine.usable_cores() == 12 and machine.usable_memory() == 2**40
    monkeypatch.delattr(os, "sysconf")
    assert machine.usable_memory() is None


def test_this_machine_has_cores_and_memory():
    assert machine.usable_cores() >= 1 and machine.usable_memory() > 2**26
