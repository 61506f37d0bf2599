"""Lightning's options for a training on one or several devices and machines."""

import os
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.strategies import DDPStrategy, FSDPStrategy, Strategy
from torch import nn

from cvnlp.launch import processes
from cvnlp.launch.settings import Launch, variable
from cvnlp.launch.slices import WHOLE, BatchSlices
from cvnlp.training.checkpoints import AtomicCheckpointIO


def slices_of(trainer: pl.Trainer | None) -> BatchSlices:
    """The part of a training batch that this process computes."""
    if trainer is None:
        return WHOLE
    return BatchSlices(trainer.global_rank, trainer.world_size, trainer.accumulate_grad_batches)


def average_buffers(network: nn.Module, strategy: Strategy, processes: int) -> None:
    """Give every process the mean of the statistics of batch normalisation, which each has of its own slices."""
    if processes > 1:
        for buffer in network.buffers():
            if buffer.is_floating_point():
                buffer.copy_(strategy.reduce(buffer.clone(), reduce_op="mean"))


def trainer_options(launch: Launch, device: torch.device, *, learns_by_gradients: bool) -> dict[str, Any]:
    """Options of Lightning's Trainer. A training without gradients uses one device: no step can be shared.

    ValueError for a strategy that the device does not have.
    """
    if not learns_by_gradients:
        launch = launch.model_copy(update={"devices": 1, "nodes": 1, "strategy": "auto", "accumulate": 1})
    if launch.strategy == "fsdp" and device.type != "cuda":
        raise ValueError(f"{variable('strategy')}: fsdp needs GPUs, and the device is {device.type}; take ddp or auto")
    if device.type == "mps" and launch.processes > 1:
        raise ValueError(f"{variable('devices')}: there is one mps device; take 1, not {launch.processes}")
    shared = launch.processes > 1
    return {
        "accelerator": device.type,
        "devices": launch.devices,
        "num_nodes": launch.nodes,
        "strategy": _strategy(launch) if shared else "auto",
        "accumulate_grad_batches": launch.accumulate,
        "sync_batchnorm": shared and device.type == "cuda",  # torch has it for GPUs only
        "use_distributed_sampler": False,
        "plugins": [AtomicCheckpointIO(), *([_cluster()] if shared else [])],
    }


def _strategy(launch: Launch) -> Strategy:
    """Buffers are not copied from the main process in every step: some belong to the examples of one process."""
    if launch.strategy == "fsdp":
        return FSDPStrategy(state_dict_type="full")
    return DDPStrategy(broadcast_buffers=False)


def _cluster() -> ClusterEnvironment:
    """Who has started the processes. Lightning would take any job of Slurm for one that Slurm has started."""
    if processes.started_by_torchrun(os.environ):
        return TorchElasticEnvironment()
    if processes.started_by_srun(os.environ):
        return SLURMEnvironment(auto_requeue=False)
    return LightningEnvironment()
