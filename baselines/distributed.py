"""Several processes that learn as one: started by torchrun, gloo on CPUs and nccl on GPUs. One process needs none of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from posedata.errors import PoseError

__all__ = ["World", "world"]

_PATIENCE = timedelta(hours=4)
"""How long processes wait for the first one, which may be cutting crops."""


class World:
    """This process among the others."""

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | None = None) -> None:
        self.rank, self.size = rank, size
        self.device = device or best_device()

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def share(self, model: nn.Module) -> nn.Module:
        """The model whose gradients are the mean over all processes; itself where there is one."""
        if self.size == 1:
            return model
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(model, device_ids=[self.device.index] if self.device.type == "cuda" else None)

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """The first process goes first; the others find what it left in the caches."""
        if self.size > 1 and not self.first:
            dist.barrier()
        yield
        if self.size > 1 and self.first:
            dist.barrier()

    def gather(self, mine: Any) -> list[Any]:
        """What every process has, in the order of their ranks, for all of them."""
        if self.size == 1:
            return [mine]
        everyone: list[Any] = [None] * self.size
        dist.all_gather_object(everyone, mine)
        return everyone

    def any(self, mine: bool) -> bool:
        """Whether it is true of any process: all leave a loop together or none does."""
        if self.size == 1:
            return mine
        flag = torch.tensor([float(mine)], device=self.device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag.item())


@contextmanager
def world(device: str | None = None) -> Iterator[World]:
    """The processes torchrun started, joined for as long as the context lasts; without torchrun, this one alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World(device=device_of(device))
        return
    where = device_of(device)
    if where.type == "cuda":
        where = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(where)
    dist.init_process_group("nccl" if where.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield World(dist.get_rank(), dist.get_world_size(), where)
    finally:
        dist.destroy_process_group()


def device_of(name: str | None) -> torch.device:
    """The device of that name, which must be there; the best one where none is named."""
    if name is None:
        return best_device()
    try:
        device = torch.device(name)
    except RuntimeError:
        raise PoseError(f"--device {name}", "no such device", "cpu, cuda or cuda:1") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise PoseError(
            f"--device {name}", f"{torch.cuda.device_count()} GPUs are here", "--device cpu" if not torch.cuda.device_count() else "a smaller number"
        )
    if device.type not in ("cpu", "cuda"):
        raise PoseError(f"--device {name}", "never tried", "cpu or cuda")
    return device


def best_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
