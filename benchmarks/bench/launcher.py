"""Run a command and write what it used as JSON; a small process, by the standard library alone.

    python -I -S launcher.py RESULT COMMAND [ARGUMENT ...]

On Linux the peak of a process (ru_maxrss) begins with that of the process which started it: started by one that has
imported torch, each would seem to use as much.
"""

import json
import os
import subprocess
import sys
import threading
import time

KIB = 1 if sys.platform == "darwin" else 1024  # bytes in the unit of ru_maxrss
SAMPLING = 0.01  # seconds between two looks at the anonymous memory


def anonymous_memory(pid: int) -> int:
    """Bytes of anonymous resident memory of a process; 0 if it has ended, or the system does not state it."""
    try:
        with open(f"/proc/{pid}/status") as file:  # noqa: PTH123  (pathlib would enlarge this process)
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon:")), 0)
    except OSError:
        return 0


def run(command: list[str]) -> tuple[int, dict[str, float]]:
    """Its exit code and usage."""
    started, ended, largest = time.perf_counter(), threading.Event(), [0]
    process = subprocess.Popen(command)

    def sample() -> None:
        while not ended.wait(SAMPLING):
            largest[0] = max(largest[0], anonymous_memory(process.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    ended.set()
    sampler.join()
    found = {"seconds": seconds, "peak": usage.ru_maxrss * KIB, "anonymous": largest[0]}
    return os.waitstatus_to_exitcode(status), found


if __name__ == "__main__":
    code, used = run(sys.argv[2:])
    with open(sys.argv[1], "w") as file:  # noqa: PTH123
        json.dump(used, file)
    sys.exit(code if code >= 0 else 128 - code)
