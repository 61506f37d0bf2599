"""The latency of single requests to a model, printed in milliseconds.

    python -m cvnlp.serving.latency FOLDER

In a process of its own with one thread: whoever asks needs no torch, and other work of its process does not count.
"""

import statistics
import sys
import time
from pathlib import Path

REQUESTS, WARM_UP = 100, 10


def measure(folder: Path) -> float:
    """Median milliseconds of a picture that is classified alone, or of a token that is generated."""
    from cvnlp import networks
    from cvnlp.serving.loading import load

    networks.use_threads(1)
    model = load(folder)
    durations = []
    for _ in range(WARM_UP + REQUESTS):
        started = time.perf_counter()
        count = model.request()
        durations.append(1000 * (time.perf_counter() - started) / count)
    return statistics.median(durations[WARM_UP:])


if __name__ == "__main__":
    print(measure(Path(sys.argv[1])))
