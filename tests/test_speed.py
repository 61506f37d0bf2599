"""What `make bench` trains goes through the pipeline with the options that there are now."""

from pathlib import Path

import pytest
import speed


def test_the_training_of_the_benchmark_runs_beside_its_baseline(
    vision_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(speed, "PICTURES", vision_data)
    monkeypatch.setattr(speed, "ROUNDS", 1)
    speed.compare("training", speed.train_pipeline, speed.train_bare, 300, "pictures")
    assert "times as fast" in capsys.readouterr().out
