"""A pipeline that is killed at random moments ends as an undisturbed one; `make kills` does it twenty times."""

from pathlib import Path

import kills

CNN_ONLY = kills.PARAMS[: kills.PARAMS.index("  lstm:")]


def test_kills_change_nothing(tmp_path: Path) -> None:
    result = kills.run_and_kill(tmp_path, kills=2, seed=3, params=CNN_ONLY)
    assert len(result.killed) == 2
    assert result.differences == []
