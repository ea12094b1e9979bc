"""Backbones by name: an image batch in, NCHW maps out, finest first, at strides that divide the input exactly.

`hrnet_w32` and all plain names are timm's; `torchvision:shufflenet_v2_x1_0` is torchvision's; `package.module:function` is a user's own,
called without arguments, returning a module whose forward gives one map or several.
"""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn
from torchvision.models import feature_extraction

from posedata.errors import PoseError, brief, did_you_mean

__all__ = ["Backbone", "BackboneError", "load_backbone"]

FINEST = 4
"""Maps finer than this stride cost much and tell a pose little; they are left out where coarser ones exist."""


class BackboneError(PoseError):
    """A backbone that is unknown, does not fit the input, or whose weights cannot be had."""


class Backbone(nn.Module):  # type: ignore[misc]
    """A body and what is known of its maps.

    Attributes: channels, strides (one for each map, finest first), best (the map that a head of one map reads),
    mean and std of the images it was trained on (0 to 1).
    """

    def __init__(
        self, name: str, body: nn.Module, size: tuple[int, int], *, all_maps: bool = False, finest_is_best: bool = False, known: Sequence[int] = ()
    ) -> None:
        """Run the body once on an empty image of `size` (width, height) to learn its maps; `known` are their strides, where somebody says."""
        super().__init__()
        self.name, self.body = name, body
        self.mean, self.std = IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
        with _looked_at(body) as called:
            maps = _as_list(name, body(torch.zeros(1, 3, size[1], size[0])))
            strides = [_stride(name, tuple(one.shape), size, said) for one, said in zip(maps, known or [0] * len(maps), strict=True)]
            self._rows = _chosen(strides, all_maps, finest_is_best)
            _drop_unused(body, [maps[row] for row in self._rows], called)
        self.strides = [strides[row] for row in self._rows]
        self.channels = [maps[row].shape[1] for row in self._rows]
        self.best = 0 if finest_is_best else len(self._rows) - 1

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = _as_list(self.name, self.body(images))
        return [maps[row] for row in self._rows]


def load_backbone(name: str, size: tuple[int, int], *, weights: bool = False, drop_path: float = 0.0, all_maps: bool = False) -> Backbone:
    """The backbone of that name for inputs of `size` (width, height), with its published weights or fresh ones.

    all_maps: every stride from 4 on, for a head that joins them; else the one map that says most.
    """
    kind, colon, rest = name.partition(":")
    if not colon:
        return _from_timm(name, size, weights, drop_path, all_maps)
    if drop_path:
        raise BackboneError(name, f"drop_path {drop_path:g}", "only timm's backbones take it here; set drop_path 0")
    body = _from_torchvision(name, rest, size, weights) if kind == "torchvision" else _from_function(name, kind, rest)
    return Backbone(name, body, size, all_maps=all_maps)


# --- what a body puts out


def _as_list(name: str, output: Any) -> list[Tensor]:
    maps = list(output.values()) if isinstance(output, Mapping) else list(output) if isinstance(output, list | tuple) else [output]
    if not maps or not all(isinstance(one, Tensor) and one.ndim == 4 for one in maps):
        raise BackboneError(name, "its forward gives no maps", "return one (N, C, rows, columns) tensor, or a list of them")
    return maps


def _stride(name: str, shape: tuple[int, ...], size: tuple[int, int], said: int = 0) -> int:
    """Input pixels per cell, the same along both axes and without remainder: half-pixel coordinates need that, and patches drop the rest in silence."""
    stride = said or round(size[1] / shape[2])
    if (shape[2] * stride, shape[3] * stride) == size[::-1]:
        return stride
    fit = " x ".join(str(max(1, round(side / stride)) * stride) for side in size) if stride else ""
    raise BackboneError(name, f"input {size[0]} x {size[1]} becomes a map of {shape[3]} x {shape[2]}", f"multiples of the stride leave no remainder: {fit}")


def _chosen(strides: Sequence[int], all_maps: bool, finest_is_best: bool) -> list[int]:
    """Rows of the maps to use, finest first: the last of each stride, none finer than FINEST if others exist."""
    last = {stride: row for row, stride in enumerate(strides)}
    rows = [last[stride] for stride in sorted(last) if stride >= FINEST] or [last[max(last)]]
    return rows if all_maps else [rows[0 if finest_is_best else -1]]


@contextmanager
def _looked_at(body: nn.Module) -> Iterator[set[nn.Module]]:
    """Which modules of a body are called meanwhile; it is left in training mode, as fresh modules are."""
    called: set[nn.Module] = set()
    hooks = [module.register_forward_hook(lambda module, *_: called.add(module)) for module in body.modules()]
    body.eval()  # one image has no batch statistics
    try:
        yield called
    finally:
        for hook in hooks:
            hook.remove()
        body.train()


def _drop_unused(body: nn.Module, maps: Sequence[Tensor], called: set[nn.Module]) -> None:
    """Take out the parameters that these maps do not depend on (norms of classifiers, pruned stages): several processes would wait for their gradients."""
    named = [
        (module, key, own)
        for module in body.modules()
        if module not in called
        for key, own in module._parameters.items()
        if own is not None and own.requires_grad
    ]
    grown = torch.autograd.grad(sum(one.mean() for one in maps), [own for _, _, own in named], allow_unused=True) if named else []
    for (module, key, _), gradient in zip(named, grown, strict=True):
        if gradient is None:
            module.register_parameter(key, None)


# --- timm


_NEVER_NORMED = ("hiera", "hieradet_sam2")
"""Modules of timm whose maps come as they are."""


class _Maps(nn.Module):  # type: ignore[misc]
    """A timm model cut down to its maps, the last one normed, NCHW for all; parameters keep the names that weights and depths go by."""

    def __init__(self, name: str, model: nn.Module, all_maps: bool) -> None:
        super().__init__()
        if not hasattr(model, "forward_intermediates"):
            raise BackboneError(name, "timm gives no maps of it", "take another backbone, or your own as module:function")
        last = {stage["reduction"]: row for row, stage in enumerate(model.feature_info)}
        stages = [row for reduction, row in last.items() if reduction >= FINEST]
        self.model = model
        self.norm = model.__module__.rpartition(".")[2] not in _NEVER_NORMED
        chosen = stages if all_maps else [len(model.feature_info) - 1]
        self.strides = [model.feature_info[stage]["reduction"] for stage in chosen]
        self.stages = model.prune_intermediate_layers(chosen, prune_norm=False, prune_head=True)

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self.model.forward_intermediates(images, indices=self.stages, norm=self.norm, output_fmt="NCHW", intermediates_only=True))


def _from_timm(name: str, size: tuple[int, int], weights: bool, drop_path: float, all_maps: bool) -> Backbone:
    if not timm.is_model(name):
        raise BackboneError("backbone", f"timm has no {brief(name)!r}", did_you_mean(name.partition(".")[0], timm.list_models()))
    known = _published(name)
    settings: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
    if known is not None and known.fixed_input_size:
        settings["img_size"] = size[::-1]
    branched = name.startswith("hrnet")
    if branched:  # by default timm gives what its classifier makes of the branches, not the branches
        settings |= {"features_only": True, "feature_location": "", "out_indices": (1, 2, 3, 4) if all_maps else (1,)}
    model = _created(name, weights, settings)
    if branched and not all_maps:
        model.stage4[-1].fuse_layers = model.stage4[-1].fuse_layers[:1]  # as the pose models of its authors end
    body = model if branched else _Maps(name, model, all_maps)
    strides = model.feature_info.reduction() if branched else body.strides
    backbone = Backbone(name, body, size, all_maps=all_maps, finest_is_best=branched, known=strides)
    if known is not None:
        backbone.mean, backbone.std = tuple(known.mean), tuple(known.std)
    return backbone


def _published(name: str) -> Any:
    """What timm knows of the weights a name stands for; None where it has none."""
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        tags = [known for known in timm.list_pretrained() if known.partition(".")[0] == name.partition(".")[0]]
        raise BackboneError("backbone", f"timm has no weights {brief(name)!r}", did_you_mean(name, tags)) from error


def _created(name: str, weights: bool, settings: Mapping[str, Any]) -> nn.Module:
    """A timm model; what it refuses for its settings is told apart from weights that cannot be had."""
    with _hushed():
        try:
            model = timm.create_model(name, pretrained=False, **settings)
        except (TypeError, ValueError, AssertionError, RuntimeError) as error:
            said = ", ".join(f"{key}={value}" for key, value in settings.items())
            raise BackboneError(name, f"timm refuses {said or 'it'}: {_said(error)}", "change input size or drop_path, or take another backbone") from error
        return _fetched(name, lambda: timm.create_model(name, pretrained=True, **settings)) if weights else model


def _fetched(name: str, make: Callable[[], nn.Module]) -> nn.Module:
    try:
        return make()
    except Exception as error:  # hub, network, disk and file each have errors of their own
        raise BackboneError(name, f"no pretrained weights: {_said(error)}", "go online once so that they are kept, or start without: --init scratch") from error


def _said(error: Exception) -> str:
    """The first line of a stranger's error."""
    lines = str(error).strip().splitlines()
    return brief(lines[0], 160) if lines else type(error).__name__


@contextmanager
def _hushed() -> Iterator[None]:
    """Libraries that talk while they build say nothing a reader of our one line needs."""
    logger = logging.getLogger("timm")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


# --- torchvision, and a user's own


def _from_torchvision(name: str, model_name: str, size: tuple[int, int], weights: bool) -> nn.Module:
    known = torchvision.models.list_models(module=torchvision.models)
    if model_name not in known:
        raise BackboneError("backbone", f"torchvision has no classifier {brief(model_name)!r}", did_you_mean(model_name, known))
    extra = {"init_weights": True} if model_name in ("googlenet", "inception_v3") and not weights else {}
    with _hushed():
        model = _fetched(name, lambda: torchvision.models.get_model(model_name, weights="DEFAULT" if weights else None, **extra))
        if any(isinstance(module, nn.MultiheadAttention) for module in model.modules()):
            raise BackboneError(name, "its tokens are no map", "timm has the same backbone: name it without torchvision:")
        return feature_extraction.create_feature_extractor(model, _nodes(model, size))


def _nodes(model: nn.Module, size: tuple[int, int]) -> list[str]:
    """The last map of each stride, found by letting one image through and looking at everything on its way."""
    training, resting = feature_extraction.get_graph_node_names(model)
    both = set(training) & set(resting)
    watched = feature_extraction.create_feature_extractor(model, [node for node in resting if node in both]).eval()
    with torch.no_grad():
        seen = watched(torch.zeros(1, 3, size[1], size[0]))
    shapes = {node: tuple(one.shape) for node, one in seen.items() if isinstance(one, Tensor) and one.ndim == 4 and one.shape[2:] != (1, 1)}
    last = {size[1] / rows: node for node, (_, _, rows, columns) in shapes.items() if size[1] * columns == size[0] * rows}
    return [last[stride] for stride in sorted(last) if stride >= FINEST] or list(last.values())[-1:]


def _from_function(name: str, module: str, function: str) -> nn.Module:
    """What a user's own function returns; modules beside the user are found, as with python -m."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise BackboneError("backbone", f"{brief(name)!r}: {_said(error)}", "write module:function of a function that returns a torch module") from error
    finally:
        sys.path.remove(here)
    body = make()
    if not isinstance(body, nn.Module):
        raise BackboneError(name, f"returns a {type(body).__name__}", "return a torch.nn.Module whose forward gives maps")
    return body
