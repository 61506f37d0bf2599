"""What a training shows on the terminal."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, TQDMProgressBar


class Lines(Callback):
    """A line per epoch, where no terminal can show a bar."""

    def __init__(self, run: str) -> None:
        self.run = run

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        metrics = ", ".join(f"{name} {float(value):.4g}" for name, value in sorted(trainer.callback_metrics.items()))
        print(f"train {self.run}: epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {metrics}", flush=True)


class Progress(TQDMProgressBar):
    """A bar that names the run, redrawn once in a while: every redrawing costs a step's time."""

    def __init__(self, run: str) -> None:
        super().__init__(refresh_rate=20, leave=False)
        self.run = run

    def init_train_tqdm(self) -> Any:
        bar = super().init_train_tqdm()
        bar.set_description(f"train {self.run}")
        return bar

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.set_description(
            f"train {self.run}: epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        )

    def init_validation_tqdm(self) -> Any:
        bar = super().init_validation_tqdm()
        bar.set_description(f"validate {self.run}")
        return bar
