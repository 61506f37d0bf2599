"""Freed memory stays with the process."""

import resource
import subprocess
import sys

from cvnlp import memory

# 16 MB, twice what glibc would keep, written and freed again and again, as the activations of a step are
LOOP = """
import resource, sys
import numpy as np
from cvnlp import memory
if sys.argv[1] == "kept":
    assert memory.keep_freed()
def step():
    pieces = [np.ones(2**19) for _ in range(4)]
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", LOOP, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_step_gets_the_pages_of_the_step_before():
    pages_of_a_step = 2**24 // resource.getpagesize()
    assert faults("kept") < pages_of_a_step < faults("given back")


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_freed() is False
