"""Freed memory stays with the process."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cvnlp.training import malloc

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")

# written and freed again and again, as the activations of a step are: four pieces of a size
LOOP = """
import resource, sys
from cvnlp import memory
if sys.argv[1] == "kept":
    assert malloc.keep_freed()
def step():
    pieces = [b"x" * int(sys.argv[2]) for _ in range(4)]
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

# what the heap has in huge pages after a large piece of it is written
HUGE = """
from cvnlp import memory
assert malloc.keep_freed()
piece = b"x" * 2**27
print(*[line.split()[1] for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages")])
"""


def run(script: str, *arguments: object) -> int:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


# the second size is one at which glibc asks the system for each piece on its own
@pytest.mark.parametrize("size", [2**22, 2**26])
def test_a_step_gets_the_pages_of_the_step_before(size: int) -> None:
    pages_of_a_step = 4 * size // resource.getpagesize()
    assert run(LOOP, "kept", size) < pages_of_a_step < run(LOOP, "given back", size)


def test_the_heap_is_in_huge_pages_where_the_system_gives_them() -> None:
    if not HUGE_PAGES.is_file() or "[never]" in HUGE_PAGES.read_text():
        pytest.skip("the system has no transparent huge pages")
    assert run(HUGE) > 2**16  # KiB, half of the piece


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(malloc.ctypes, "CDLL", lambda name: object())
    assert malloc.keep_freed() is False
