"""Weights that others published, read without running any code of theirs: .safetensors, and .pth whose pickle may name nothing but tensors.

torch.load is never called on a file that is not ours: a pickle is a program, and this reader knows three of its words.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from posedata.errors import FormatError, brief

from ..checkpoint import read_tensors

__all__ = ["read_foreign"]

_TYPES = {
    "FloatStorage": torch.float32, "HalfStorage": torch.float16, "BFloat16Storage": torch.bfloat16, "DoubleStorage": torch.float64,
    "LongStorage": torch.int64, "IntStorage": torch.int32, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip


class _Type(NamedTuple):
    name: str


def read_foreign(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file by name; one that is no dictionary of tensors is refused."""
    path = Path(path)
    if path.suffix == ".safetensors":
        return read_tensors(path)[0]
    try:
        with zipfile.ZipFile(path) as archive:
            found = _Reader(archive).load()
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "cannot be read").lower(), "name a file of weights: .pth or .safetensors") from None
    except (zipfile.BadZipFile, pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError) as e:
        raise FormatError(
            str(path), f"no plain dictionary of tensors ({brief(str(e), 100)})", "torch saves one with torch.save(model.state_dict(), ...)"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items()):
        raise FormatError(str(path), "no plain dictionary of tensors", "save model.state_dict() alone")
    return dict(found)


class _Reader(pickle.Unpickler):
    """An unpickler that can make ordered dictionaries and tensors, and nothing else."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        inside = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(inside) != 1:
            raise pickle.UnpicklingError("not a zip archive of torch.save")
        self.archive, self.folder = archive, inside[0].partition("/")[0]
        super().__init__(io.BytesIO(archive.read(inside[0])))

    def find_class(self, module: str, name: str) -> Any:
        """The three words."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _TYPES:
            return _Type(name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no weights need")

    def persistent_load(self, pid: Any) -> Tensor:
        """The numbers a tensor is a view of."""
        kind, storage, key, _, count = pid
        if kind != "storage" or not isinstance(storage, _Type):
            raise pickle.UnpicklingError(f"it refers to {brief(repr(kind))}")
        data = self.archive.read(f"{self.folder}/data/{key}")
        flat = torch.frombuffer(bytearray(data), dtype=_TYPES[storage.name]) if data else torch.empty(0, dtype=_TYPES[storage.name])
        if len(flat) != count:
            raise pickle.UnpicklingError(f"{len(flat)} numbers where {count} are told")
        return flat


def _tensor(flat: Tensor, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *rest: Any) -> Tensor:
    """A view of a storage, which must lie inside it."""
    if len(shape) != len(strides) or min((offset, *shape, *strides), default=0) < 0:
        raise pickle.UnpicklingError(f"a tensor of shape {shape}")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) if 0 not in shape else offset - 1
    if last >= len(flat):
        raise pickle.UnpicklingError("a tensor that reaches beyond its numbers")
    return flat.as_strided(shape, strides, offset).clone()
