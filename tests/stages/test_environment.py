"""The environment in which dvc.yaml starts the stages: malloc keeps freed memory, in huge pages."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
NAME = "GLIBC_TUNABLES"

# page faults of 8 steps, each of which writes and frees four blocks, as a training step does with its activations
STEPS = """
import resource, sys
def step():
    blocks = [b"x" * int(sys.argv[1]) for _ in range(4)]
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

# KiB in huge pages after a large block was written
HUGE = """
block = b"x" * 2**27
print(*[line.split()[1] for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages")])
"""


def tunables(file: str) -> str:
    """The value that a file of the project gives to the variable."""
    (value,) = re.findall(rf"{NAME}(?: :)?=\s*(\S+)", (ROOT / file).read_text(encoding="utf-8"))
    return str(value)


def run(script: str, *arguments: int, **environment: str) -> int:
    inherited = {name: value for name, value in os.environ.items() if name != NAME}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


# the second size is one that glibc by default requests from the system block by block
@pytest.mark.parametrize("size", [2**22, 2**26])
def test_a_step_gets_the_pages_of_the_step_before(size: int) -> None:
    if os.confstr("CS_GNU_LIBC_VERSION") is None:
        pytest.skip("the C library is not glibc")
    pages_of_a_step = 4 * size // resource.getpagesize()
    assert run(STEPS, size, **{NAME: tunables("dvc.yaml")}) < pages_of_a_step < run(STEPS, size)


def test_memory_is_in_huge_pages_where_the_system_has_them() -> None:
    if not HUGE_PAGES.is_file() or "[never]" in HUGE_PAGES.read_text():
        pytest.skip("the system has no transparent huge pages")
    assert run(HUGE, **{NAME: tunables("dvc.yaml")}) > 2**16  # half of the block


@pytest.mark.parametrize("file", ["benchmarks/dvc.yaml", "Makefile"])
def test_benchmarks_are_measured_in_the_same_environment(file: str) -> None:
    assert tunables(file) == tunables("dvc.yaml")
