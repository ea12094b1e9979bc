"""Checkpoints: tensors in safetensors, everything else as JSON in its header; each file appears whole or not at all. The room of safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from posedata.errors import FormatError, brief, first_few
from posedata.files import write_bytes

__all__ = ["flat_state", "load_state", "load_weights", "read_tensors", "restore_state", "save_tensors"]

HEADER = "baselines"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> Path:
    """Write tensors and plain values, whole or not at all."""
    kept = {name: t.detach().to("cpu").contiguous().clone() for name, t in tensors.items()}
    data = safetensors.torch.save(kept, metadata={HEADER: json.dumps(header)})
    try:
        return write_bytes(path, data)
    except FormatError as e:
        raise FormatError(e.where, f"{e.seen}: {len(data) / 1e6:,.1f} MB", "make room; --resume goes on from the checkpoint before") from None


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and plain values of a file of ours."""
    path = Path(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118  # no mapping
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "no such file").lower(), "name a run's folder; baselines train makes one") from None
    except (safetensors.SafetensorError, ValueError) as e:
        raise FormatError(str(path), f"no checkpoint of ours ({brief(str(e), 80)})", "was it copied whole?") from None


def load_weights(model: nn.Module, path: str | Path) -> dict[str, Any]:
    """Fill a model with the weights of a file that must fit it whole; gives back the file's plain values."""
    weights, header = read_tensors(path)
    load_state(model, weights, str(path))
    return header


def load_state(model: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Fill a model; a name or a shape that differs is an error, not a repair."""
    own = model.state_dict()
    odd = [f"{n}: {tuple(t.shape)}, not {tuple(own[n].shape)}" for n, t in weights.items() if n in own and t.shape != own[n].shape]
    odd += [f"{n} is missing" for n in own.keys() - weights.keys()] + [f"{n} is unknown" for n in weights.keys() - own.keys()]
    if odd:
        raise FormatError(where, f"weights of another recipe ({first_few(odd, 2)})", "start from them with --init, which copies what fits")
    model.load_state_dict(dict(weights))


def flat_state(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser remembers of each weight, as tensors by name."""
    return {
        f"{name}|{key}": value if isinstance(value, Tensor) else torch.tensor(value)
        for group in optimiser.param_groups
        for name, weight in zip(group["names"], group["params"], strict=True)
        for key, value in optimiser.state.get(weight, {}).items()
        if value is not None
    }


def restore_state(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser back what `flat_state` took."""
    by_name = {name: weight for group in optimiser.param_groups for name, weight in zip(group["names"], group["params"], strict=True)}
    for label, value in tensors.items():
        name, _, key = label.rpartition("|")
        weight = by_name[name]
        optimiser.state[weight][key] = torch.empty_like(weight, dtype=value.dtype).copy_(value) if value.shape == weight.shape and value.ndim else value.clone()
