"""What flows through a network: gradients of one sample back, and the activations of each layer forward."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from posedata.errors import first_few

from ..data import Batch
from ..families import family_of
from ..freezing import frozen_parts
from .batch import first_batch
from .bench import Bench, as_trained
from .verdicts import Part, Verdict

__all__ = ["Activation", "look_at_activations", "look_at_gradients"]

NEAR = 0.05
"""A value so near 0 counts as none."""
DEAD = 0.9
"""Share of such values from which a layer is dead."""
WILD = 1e4
"""Spread beyond which a layer has run away; with bf16 its values are whole numbers there."""
_FAINT_AT_FIRST = ("rpn.head.",)
"""Fresh proposals are given weights of .01 on purpose (torchvision's and Detectron's): they are faint before they learn."""
_SAMPLES, _MEASURED = 4, 16
_ACTS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Softplus, nn.Softsign, nn.Tanh,
)  # fmt: skip
"""What a layer ends with. Sigmoid and softmax are gates and weights: most of theirs may well be near 0."""


# -- gradients -------------------------------------------------------------------------------------------


def look_at_gradients(bench: Bench) -> Part:
    """The loss of one sample must reach that sample's pixels and no other's, every labelled point, and every weight that learns."""
    batch = first_batch(bench, _SAMPLES)
    one = 0 if bench.finds else int((batch.v > 0).sum(1).argmax())
    alone = _reach(bench, batch, one, train=False)
    together = _reach(bench, batch, one, train=True)
    norms = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in bench.model.modules())
    leak, mixed = _others(alone, one), _others(together, one)
    field = float((alone[one] > 0).float().mean())
    wrong = {} if bench.finds else _points(bench, batch, one)
    lost, empty = _weights(bench, batch)
    values = {
        "leak": leak,
        "leak_in_training": mixed,
        "batch_norm": norms,
        "pixels_reached": field,
        "points": wrong,
        "weights_lost": lost,
        "weights_zero": empty,
    }
    lines = [
        f"one sample's output depends on {field:.0%} of its own pixels" + ("" if leak else ", and on no other sample"),
        f"in training batch norms let {mixed:.1%} of its gradient into others, as they should" if norms and mixed else "in training it stays alone",
        f"{len(empty)} weights have a gradient of 0 at first, as where a branch starts with 0" if empty else "every weight that learns has a gradient",
    ]
    return Part("gradients", tuple(lines), values, tuple(_leaks(leak, mixed, norms, field, wrong, lost)))


def _leaks(leak: float, mixed: float, norms: bool, field: float, wrong: dict[str, list[str]], lost: list[str]) -> list[Verdict]:
    found = []
    cure = "something adds up or reshapes over the batch: look at each view, reshape, mean and norm for the wrong axis"
    if leak > 0 or (mixed > 0 and not norms):
        seen = f"a sample's output depends on other samples ({max(leak, 0 if norms else mixed):.0%} of its gradient)"
        found.append(Verdict("gradients", seen, cure))
    if field == 0:
        found.append(Verdict("gradients", "the output does not depend on the picture", "a detached tensor, or a layer that is 0 (see activations)"))
    for what, names in wrong.items():
        if names:
            found.append(
                Verdict("gradients", f"{what}: {first_few(names, 4, ', ')}", "the loss weighs points wrongly: are rows of points and of maps the same?")
            )
    if lost:
        seen = f"no gradient reaches {first_few(lost, 4, ', ')}"
        found.append(Verdict("gradients", seen, "they take part in nothing: leave them out, or name them in freeze"))
    return found


def _reach(bench: Bench, batch: Any, one: int, train: bool) -> Tensor:
    """(B, h, w) the size of one sample's output's gradient in every pixel of the batch."""
    images = batch.images.clone().requires_grad_(True)
    model = bench.model
    with as_trained(model):
        if not train:
            model.eval()
        told = torch.stack([m[one].square().sum() for m in bench.told(batch._replace(images=images))]).sum()
        (gradient,) = torch.autograd.grad(told, images, allow_unused=True)
    return torch.zeros_like(images).sum(1) if gradient is None else gradient.detach().abs().sum(1)


def _others(reach: Tensor, one: int) -> float:
    """Share of a gradient that lies in other samples."""
    by_sample = reach.flatten(1).double().sum(1)
    whole = float(by_sample.sum())
    return float(whole - by_sample[one]) / whole if whole else 0.0


def _points(bench: Bench, batch: Batch, one: int) -> dict[str, list[str]]:
    """Labelled points whose outputs get no gradient, and unlabelled ones whose do."""
    sample = Batch(*(t[one : one + 1] for t in batch))
    with as_trained(bench.model):
        bench.model.eval()
        out = bench.output(sample)
    maps = tuple(m.detach().requires_grad_(True) for m in out.maps)
    from ..losses import loss_of

    total = loss_of(out._replace(maps=maps, presence=None), sample, bench.model.coding).total
    gradients = torch.autograd.grad(total, maps) if total.requires_grad else [torch.zeros_like(m) for m in maps]
    reached = torch.stack([g[0].flatten(1).abs().sum(1) > 0 for g in gradients]).any(0)
    ignored = (sample.v[0] == 1) & (bench.recipe.hidden == "ignore")
    wanted = (sample.v[0] > 0) & ~ignored
    names = bench.model.schema.names
    return {
        "labelled points without a gradient": [names[i] for i in torch.nonzero(wanted & ~reached).flatten().tolist()],
        "unlabelled points with a gradient": [names[i] for i in torch.nonzero(reached & ~wanted).flatten().tolist()],
    }


def _weights(bench: Bench, batch: Any) -> tuple[list[str], list[str]]:
    """Weights that learn and get no gradient at all; and those whose gradient is 0."""
    model = bench.copy()
    frozen_parts(model, family_of(bench.recipe).frozen(bench.recipe))
    with as_trained(model), bench.judging(model):
        bench.loss(batch, model).backward()
    learning = [(name, weight.grad) for name, weight in model.named_parameters() if weight.requires_grad]
    return [n for n, g in learning if g is None], [n for n, g in learning if g is not None and not g.any()]


# -- activations -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Activation:
    """The values of one layer over a batch."""

    name: str
    kind: str
    near: float
    """Share of values near 0."""
    spread: float
    """Standard deviation."""
    below: float
    """Share of its inputs below 0."""
    input_spread: float
    source: str
    """The layer with weights before it."""
    source_weight: float
    """Largest weight there; NaN without weights."""

    @property
    def dead(self) -> bool:
        return self.near >= DEAD


def look_at_activations(bench: Bench, folder: Path) -> Part:
    """Every layer's share of values near 0 and their spread, drawn; a layer that is dead is named with its likely cause."""
    from .plots import plot_activations

    layers, constant = _measured(bench, first_batch(bench, _MEASURED))
    dead = [a for a in layers if a.dead and (bench.trained or not a.name.startswith(_FAINT_AT_FIRST))]
    values: dict[str, Any] = {"layers": [vars(a) for a in layers], "dead": [a.name for a in dead], "weights": "trained" if bench.trained else "before training"}
    if not layers:
        return Part("activations", ("the model has no activations as modules: nothing to measure by layer",), values, tuple(_constant(constant)))
    worst = max(layers, key=lambda a: a.near)
    spreads = [a.spread for a in layers]
    lines = (
        f"{len(layers)} layers, {values['weights']}: most near 0 (|a| < {NEAR}): {worst.near:.0%} of {worst.name}",
        f"spread from {min(spreads):.3g} to {max(spreads):.3g}",
    )
    drawn = plot_activations(layers, dead, values["weights"], folder / "activations.png")
    return Part("activations", lines, values, (*_dead(dead), *_wild(layers), *_constant(constant and not dead)), (drawn,))


def _measured(bench: Bench, batch: Any) -> tuple[list[Activation], bool]:
    """What each layer gives for a batch, in the order they are run; and whether the output is the same for all samples."""
    model, found, before = bench.model, list[Activation](), dict[str, Any]()
    source: list[Any] = ["", float("nan")]

    def enter(name: str, module: nn.Module) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...]) -> None:
            if isinstance(module, _ACTS):
                x = args[0].detach().float()  # measured before, for an activation in place writes over it
                before[name] = (float((x < 0).float().mean()), float(x.std()), *source)
            elif isinstance(weight := getattr(module, "weight", None), Tensor):
                source[:] = [name, float(weight.detach().abs().max())]

        return module.register_forward_pre_hook(hook)

    def leave(name: str, module: nn.Module) -> Any:
        def hook(_: nn.Module, args: Any, out: Tensor) -> None:
            y = out.detach().float()
            found.append(Activation(name, type(module).__name__, float((y.abs() < NEAR).float().mean()), float(y.std()), *before[name]))

        return module.register_forward_hook(hook)

    named = list(model.named_modules())
    hooks = [enter(n, m) for n, m in named] + [leave(n, m) for n, m in named if isinstance(m, _ACTS)]
    try:
        with as_trained(model), torch.no_grad():
            if bench.trained:
                model.eval()
            with bench.judging(model):
                bench.loss(batch)
    finally:
        for hook in hooks:
            hook.remove()
    with as_trained(model), torch.no_grad():
        told = bench.told(batch)
    alive: dict[str, Activation] = {}  # a layer that is run several times lives if it does so once
    for a in found:
        alive[a.name] = min(alive.get(a.name, a), a, key=lambda each: each.near)
    return list(alive.values()), len(batch.rows) > 1 and all(float(m.std(0).max()) <= 1e-6 * float(m.abs().max()) for m in told)


def _dead(dead: list[Activation]) -> list[Verdict]:
    """The first dead layer; those behind it die with it."""
    if not dead:
        return []
    first, others = dead[0], len(dead) - 1
    also = f", and {others} more layer{'s' * (others > 1)}: {first_few([a.name for a in dead[1:]], 3, ', ')}" if others else ""
    return [Verdict("activations", f"{first.name} ({first.kind}) is dead: {first.near:.0%} of its values are within {NEAR} of 0{also}", _cause(first))]


def _cause(layer: Activation) -> str:
    if layer.source_weight == 0:
        return f"all weights of {layer.source} are 0: were they initialised, or lost in loading?"
    if not layer.source_weight < float("inf"):
        return f"weights of {layer.source} are no numbers: the run that made them broke; start from an earlier one"
    if layer.below >= DEAD:
        return f"{layer.below:.0%} of what {layer.source or 'comes before'} gives is below 0: its shift is far too low, as after too high a learning rate; lower lr, or start anew"
    return f"what {layer.source or 'comes before'} gives is tiny (spread {layer.input_spread:.2g}): too small an initialisation, or a norm is missing"


def _wild(layers: list[Activation]) -> list[Verdict]:
    wild = [a for a in layers if not a.spread < WILD]
    if not wild:
        return []
    seen = f"{wild[0].name} runs away: spread {wild[0].spread:.3g}" + (f", and {len(wild) - 1} more" if len(wild) > 1 else "")
    return [Verdict("activations", seen, f"too large an initialisation in or before {wild[0].source or 'it'}, or a norm is missing; lower lr if trained")]


def _constant(constant: bool) -> list[Verdict]:
    cure = "a layer on the way lets nothing through: weights that are 0, a detached tensor, or an average over the batch"
    return [Verdict("activations", "the outputs are the same for every picture", cure)] if constant else []
