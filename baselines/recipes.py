"""Recipes: every choice that makes a trained model, as plain values; RECIPES, one line for each model and for each dataset."""

from __future__ import annotations

import ast
import hashlib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from posedata.errors import FormatError, PoseError, brief, did_you_mean

__all__ = ["DATASETS", "GROUPS", "MODELS", "RECIPES", "Recipe", "load_recipe", "read_recipe"]

GROUPS = {
    "data": "what is learned",
    "model": "the network",
    "detector": "of head rcnn alone",
    "codec": "points to heatmaps and back",
    "optimiser": "how it is learned",
    "augmentation": "what is changed in the crops",
    "record": "what is kept and said",
}


def setting(default: Any, group: str, what: str, of: Iterable[str] = (), low: float = -math.inf, high: float = math.inf) -> Any:
    """A field of a recipe: its group, a sentence on it, and what it may be."""
    return field(default=default, metadata={"group": group, "what": what, "of": tuple(of), "low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model to train. Every field is a plain value: a line of TOML, or `--set name=value`."""

    name: str = setting("mine", "record", "of the recipe")

    dataset: str = setting("synthetic", "data", "a dataset's name; empty where train and val name files or NAME/CONFIG/SPLIT themselves, joined by ' + '")
    config: str = setting("", "data", "its configuration; empty for its first")
    train: str = setting("train", "data", "the split to learn from; slices and manifests too: train[:10%], folds.json:~fold0")
    val: str = setting("val", "data", "the split the best model is chosen on; empty for none")
    schema: str = setting("", "data", "the points to learn; empty for the dataset's own")
    images: str = setting("", "data", "folder of the pictures, where train and val name files; empty for each file's own folder")
    scenes: int = setting(0, "data", "scenes to render of the split that is learned from, where a dataset is rendered; 0 for its own number", low=0)
    padding: float = setting(1.25, "data", "the crop's side over that of the box", low=1, high=4)

    backbone: str = setting("hrnet_w32.ms_in1k", "model", "a timm model; torchvision:NAME; or one's own, module:function")
    pretrained: bool = setting(True, "model", "start from the backbone's published weights")
    head: str = setting("deconv", "model", "from features to maps", of=("bilinear", "deconv", "fpn", "simcc", "rcnn"))
    head_channels: int = setting(256, "model", "channels of the head; of a detector's pyramid, whose points have twice as many", low=1)
    head_layers: int = setting(3, "model", "deconvolutions of the head; convolutions of a detector's points", low=0, high=8)
    head_kernel: int = setting(4, "model", "their kernel", low=2, high=7)
    presence: bool = setting(True, "model", "a second output says how likely each point is labelled, so that it can be left out")
    drop_path: float = setting(0.0, "model", "share of residual paths dropped in training", low=0, high=0.9)
    width: int = setting(256, "model", "of the network's input, in pixels", low=16, high=4096)
    height: int = setting(256, "model", "of the network's input, in pixels", low=16, high=4096)

    norm: str = setting(
        "batch",
        "detector",
        "batch norms of the backbone stay as published (few pictures make poor statistics), or learn; group: norms in pyramid and points too",
        of=("frozen", "batch", "group"),
    )
    rung: str = setting("all", "detector", "how much learns: each rung is the one before and more", of=("predictor", "keypoints", "roi", "detector", "all"))
    anchors: tuple[float, ...] = setting(
        (32, 64, 128, 256, 512), "detector", "sides of the boxes tried first, one for each level of the pyramid, in pixels of the input", low=4
    )
    proposals: int = setting(1000, "detector", "boxes of a picture that are looked into; twice as many in training", low=8, high=10_000)
    rois: int = setting(512, "detector", "boxes of a picture that are learned from, a quarter of them with somebody", low=4, high=4096)
    detections: int = setting(100, "detector", "boxes found on a picture at most; more for crowds", low=1, high=1000)
    box_score: float = setting(0.05, "detector", "least score of a box", low=0, high=0.99)
    box_nms: float = setting(
        0.5, "detector", "overlap beyond which the lower of two boxes goes; more for crowds, where similar poses are thinned later", low=0.1, high=0.95
    )

    sigma: float = setting(2.0, "codec", "of a point's Gaussian, in cells of the heatmap (bins of SimCC; a detector has 56 over a box)", low=0.3, high=64)
    hidden: str = setting(
        "same", "codec", "points with v = 1 are learned as seen ones, as negative Gaussians, or not at all", of=("same", "negative", "ignore")
    )
    decode: str = setting("dark", "codec", "how a maximum is refined", of=("dark", "parabola", "argmax"))
    flip_test: bool = setting(True, "codec", "average each crop with its mirror image when predicting")

    optimiser: str = setting("adamw", "optimiser", "who steps", of=("adamw", "adam", "sgd"))
    lr: float = setting(5e-4, "optimiser", "highest learning rate; 0 learns nothing", low=0, high=10)
    weight_decay: float = setting(0.0, "optimiser", "not on biases, norms and places", low=0, high=10)
    momentum: float = setting(0.9, "optimiser", "of SGD; first beta of the others", low=0, high=0.999)
    layer_decay: float = setting(1.0, "optimiser", "each layer of the backbone learns this much slower than the next", low=0.1, high=1)
    schedule: str = setting("cosine", "optimiser", "of the learning rate", of=("constant", "cosine", "onecycle", "step"))
    milestones: tuple[float, ...] = setting((0.8, 0.95), "optimiser", "of schedule step: after these shares of all steps, a tenth", low=0, high=1)
    warmup: float = setting(0.0, "optimiser", "share of all steps in which the learning rate rises to its own", low=0, high=0.9)
    epochs: int = setting(100, "optimiser", "times every crop is seen", low=1)
    batch: int = setting(64, "optimiser", "crops of one step, over all processes and accumulated parts", low=1)
    accumulate: int = setting(1, "optimiser", "parts of a batch that one process works through one after another", low=1)
    ema: float = setting(0.0, "optimiser", "decay of the running mean of the weights that is validated and kept; 0 for none", low=0, high=0.99999)
    clip: float = setting(0.0, "optimiser", "largest norm of the gradient; 0 for any", low=0)
    precision: str = setting("bf16", "optimiser", "of the network on a GPU; losses and decoding are fp32 always", of=("bf16", "fp32"))
    channels_last: bool = setting(True, "optimiser", "memory in the order convolutions like")
    compile: bool = setting(False, "optimiser", "let torch.compile fuse what it can")
    freeze: tuple[str, ...] = setting((), "optimiser", "beginnings of names of weights that stay as they are: backbone")

    flip: float = setting(0.5, "augmentation", "share of crops mirrored; none without mirror pairs", low=0, high=1)
    rotate: float = setting(40.0, "augmentation", "degrees: deviation of the angle, cut at twice this", low=0, high=180)
    rotate_share: float = setting(0.6, "augmentation", "share of crops turned", low=0, high=1)
    scale: tuple[float, ...] = setting((0.75, 1.25), "augmentation", "smallest and largest size of what is seen, over the crop's", low=0.2, high=4)
    shift: float = setting(0.1, "augmentation", "largest shift, over the crop's side", low=0, high=1)
    half_body: float = setting(0.3, "augmentation", "share of crops cut to one half of a body of which nine points or more are labelled", low=0, high=1)
    colour: float = setting(0.2, "augmentation", "largest change of brightness, contrast, saturation and of each channel", low=0, high=1)
    cutout: float = setting(0.0, "augmentation", "share of crops with a square painted over", low=0, high=1)

    score: str = setting("AP", "record", "the metric of val that the best model is chosen by")
    validate_every: int = setting(1, "record", "epochs between two validations", low=1)
    save_every: int = setting(0, "record", "steps between two checkpoints; 0 for one at the end of each epoch", low=0)
    seed: int = setting(0, "record", "of everything that is drawn", low=0, high=2**31 - 1)
    published: tuple[str, ...] = setting((), "record", "rows of published.json that this recipe can be held against")
    note: str = setting("", "record", "what a reader should know")

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _checked(self.name, f, getattr(self, f.name)))
        if len(self.scale) != 2 or self.scale[0] > self.scale[1]:
            raise PoseError(f"{self.name}: scale", brief(repr(self.scale)), "two numbers, the smaller first: scale=.75,1.25")
        if self.batch % self.accumulate:
            raise PoseError(f"{self.name}: batch", f"{self.batch} crops in {self.accumulate} parts", "batch is a multiple of accumulate")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the network's input."""
        return self.width, self.height

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with any choice that changes the weights."""
        idle = {f.name for f in fields(self) if f.metadata["group"] == "detector" and self.head != "rcnn"}
        choices = {k: v for k, v in asdict(self).items() if k not in {"name", "published", "note", *idle}}
        return hashlib.sha256(json.dumps(choices, sort_keys=True).encode()).hexdigest()[:16]

    def with_settings(self, said: Iterable[str]) -> Recipe:
        """The recipe with fields changed as the command line says it: ["lr=1e-3", "scale=.5,1.5"]."""
        changed: dict[str, Any] = {}
        for words in said:
            name, equals, text = words.partition("=")
            name = name.strip().replace("-", "_")
            if not equals:
                raise PoseError(f"--set {brief(words)}", "no value", "write name=value, such as --set lr=1e-3")
            changed[name] = _spoken(self.name, _field(self.name, name), text.strip())
        return replace(self, **changed)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def to_toml(self) -> str:
        """A TOML file that `read_recipe` reads back to the same recipe, each line with its meaning."""
        lines = []
        for group, title in GROUPS.items():
            lines.append(f"\n# {title}")
            lines += [f"{f.name} = {_toml(getattr(self, f.name))}  # {f.metadata['what']}" for f in fields(self) if f.metadata["group"] == group]
        return "\n".join(lines).lstrip() + "\n"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "recipe") -> Recipe:
        """A recipe from plain values, all of whose names it must know. `base` names the recipe that gives the rest."""
        own = {k: v for k, v in values.items() if k != "base"}
        for name in own:
            _field(where, name)
        base = load_recipe(str(values["base"])) if "base" in values else cls(name=where)
        return replace(base, **own)


def read_recipe(path: str | Path) -> Recipe:
    """A recipe from a TOML file; what it leaves out is as in its `base`, or by default."""
    try:
        values = tomllib.loads(Path(path).read_text("utf-8-sig"))
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "cannot be read").lower(), "name a recipe (baselines list) or a .toml file") from None
    except (ValueError, RecursionError) as e:
        raise FormatError(str(path), brief(str(e), 100), "a recipe is a TOML file: baselines list NAME --toml prints one") from None
    return Recipe.from_dict({"name": Path(path).stem, **values}, Path(path).name)


def load_recipe(source: str | Path | Recipe) -> Recipe:
    """A recipe by its name in RECIPES, from a TOML file, or itself."""
    if isinstance(source, Recipe):
        return source
    if str(source) in RECIPES:
        return RECIPES[str(source)]
    if Path(source).suffix == ".toml":
        return read_recipe(source)
    near = did_you_mean(str(source), RECIPES)
    raise PoseError(
        brief(str(source)) or "recipe", "no such recipe", f"{near if near.startswith('did') else 'baselines list shows them'}; or name a .toml file"
    )


def _field(where: str, name: str) -> Any:
    known = {f.name: f for f in fields(Recipe)}
    if name not in known:
        raise PoseError(where, f"no setting {brief(name)!r}", did_you_mean(name, known))
    return known[name]


def _checked(where: str, f: Any, value: Any) -> Any:
    """The value as its field's type, or one line on what it should be."""
    kind, meta = str(f.type), f.metadata
    value = tuple(value) if isinstance(value, list) else value
    parts = value if kind.startswith("tuple") else (value,)
    ok = isinstance(parts, tuple) and all(_is(kind.removeprefix("tuple[").split(",")[0], v) for v in parts)
    if not ok or (meta["of"] and value not in meta["of"]):
        cure = did_you_mean(str(value), meta["of"]) if meta["of"] else f"{_KINDS[kind]}: {meta['what']}"
        raise PoseError(f"{where}: {f.name}", brief(repr(value)), cure)
    if any(isinstance(v, int | float) and not meta["low"] <= v <= meta["high"] for v in parts):
        raise PoseError(f"{where}: {f.name}", brief(repr(value)), f"from {meta['low']:g} to {meta['high']:g}: {meta['what']}")
    floats = "float" in kind
    return tuple(float(v) if floats else v for v in parts) if isinstance(value, tuple) else float(value) if floats else value


_KINDS = {
    "str": "text", "bool": "true or false", "int": "a whole number", "float": "a number",
    "tuple[float, ...]": "numbers", "tuple[str, ...]": "words",
}  # fmt: skip


def _is(kind: str, value: Any) -> bool:
    if kind in ("int", "float"):
        return not isinstance(value, bool) and isinstance(value, int if kind == "int" else int | float) and math.isfinite(value)
    return isinstance(value, {"str": str, "bool": bool}[kind])


def _spoken(where: str, f: Any, text: str) -> Any:
    """A value as typed on a command line: 1e-3, true, .75,1.25 or a bare word."""
    kind = str(f.type)
    if kind == "str":
        return text
    if kind.startswith("tuple"):
        words = [w.strip() for w in text.strip("()[]").split(",") if w.strip()]
        return tuple(words) if "str" in kind else tuple(_number(w) for w in words)
    if kind == "bool":
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower(), text)
    return _number(text)


def _number(text: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return int(value) if isinstance(value, float) and value.is_integer() and "e" in text.lower() else value


def _toml(value: Any) -> str:
    """JSON's strings, numbers and lists are TOML's too, but for the letters beyond the first plane that JSON writes in halves."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False).replace("\x7f", "\\u007f")


# -- the recipes we have -----------------------------------------------------------------------------

_PAPER: dict[str, Any] = {"optimiser": "adam", "lr": 5e-4, "schedule": "step", "epochs": 210, "batch": 512, "warmup": 0.02, "milestones": (0.81, 0.952)}
"""Adam, 210 epochs, a tenth after 170 and 200: what mmpose's tables of ResNet and HRNet are made with. Their warm-up of 500 steps is a share here."""
_VIT: dict[str, Any] = {"head": "bilinear", "optimiser": "adamw", "lr": 5e-4, "weight_decay": 0.1, "clip": 1.0, "epochs": 210, "batch": 512, "schedule": "step", "warmup": 0.02, "milestones": (0.81, 0.952)}  # fmt: skip
"""ViTPose's, with its simple head: at most .3 AP below two deconvolutions."""
_MODERN: dict[str, Any] = {"optimiser": "adamw", "lr": 5e-4, "weight_decay": 0.05, "layer_decay": 0.85, "drop_path": 0.1, "epochs": 100, "batch": 256, "warmup": 0.03, "clip": 1.0}  # fmt: skip

MODELS: dict[str, dict[str, Any]] = {
    "resnet50": {**_PAPER, "backbone": "resnet50.tv_in1k", "head": "deconv"},
    "hrnet_w32": {**_PAPER, "backbone": "hrnet_w32.ms_in1k", "head": "deconv", "head_layers": 0},
    "hrnet_w48": {**_PAPER, "backbone": "hrnet_w48.ms_in1k", "head": "deconv", "head_layers": 0},
    "vit_s": {**_VIT, "backbone": "vit_small_patch16_224.augreg_in21k", "layer_decay": 0.8, "drop_path": 0.1, "note": "timm has no MAE weights of this size, which the published row starts from"},
    "vit_b": {**_VIT, "backbone": "vit_base_patch16_224.mae", "layer_decay": 0.75, "drop_path": 0.3, "note": "the MAE weights are CC-BY-NC"},
    "convnext_t": {**_MODERN, "backbone": "convnext_tiny.in12k_ft_in1k", "head": "fpn"},
    "swin_t": {**_MODERN, "backbone": "swin_tiny_patch4_window7_224.ms_in1k", "head": "deconv"},
    "mobilenetv4_s": {"backbone": "mobilenetv4_conv_small.e2400_r224_in1k", "head": "fpn", "head_channels": 64, "optimiser": "adamw", "lr": 2e-3, "weight_decay": 0.05, "epochs": 100, "batch": 256, "warmup": 0.05, "clip": 1.0},
}  # fmt: skip
"""What a model brings along, whatever it learns."""

_MMPOSE: dict[str, Any] = {"scale": (0.5, 1.5), "shift": 0.16}
_SMALL: dict[str, Any] = {"batch": 32, "epochs": 150, "optimiser": "adamw", "schedule": "cosine", "warmup": 0.05, "ema": 0.998}
"""For a few hundred images: more steps of fewer crops."""

DATASETS: dict[str, dict[str, Any]] = {
    "ap10k": {"dataset": "ap10k", "config": "split1", **_MMPOSE},
    "cat": {"dataset": "cat", **_SMALL},
    "crowdpose": {"dataset": "crowdpose", "train": "trainval", "val": "test", "width": 192, **_MMPOSE, "note": "learned from train and val together and chosen on test, as in every published row"},
    "coco": {"dataset": "coco", "config": "2017", "width": 192, **_MMPOSE},
    "coco_foot": {"dataset": "coco_foot", "config": "joined", "width": 192, **_MMPOSE},
    "akd": {"dataset": "akd", "train": "train[:80%]", "val": "train[80%:]", "score": "PCK.technumber@0.1", **_SMALL, "half_body": 0.0},
    "synthetic": {"dataset": "synthetic", "config": "quadruped", "width": 128, "height": 128, "sigma": 1.5, "half_body": 0.0, "scenes": 4096, "batch": 64, "epochs": 60, "optimiser": "adamw", "schedule": "cosine"},
}  # fmt: skip
"""What a dataset brings along; it has the last word."""

_RCNN: dict[str, Any] = {
    "head": "rcnn", "head_layers": 8, "padding": 1.0, "width": 1024, "height": 1024, "norm": "frozen", "sigma": 1.0, "flip_test": False,
    "optimiser": "sgd", "lr": 0.02, "weight_decay": 1e-4, "schedule": "step", "milestones": (0.783, 0.935), "warmup": 0.005, "epochs": 46, "batch": 16,
    "rotate": 0.0, "half_body": 0.0, "shift": 0.0, "scale": (0.8, 1.25), "colour": 0.0,
}  # fmt: skip
"""torchvision's recipe of its published weights (46 epochs, a tenth after 36 and 43), on pictures fitted into a square."""

DETECTORS: dict[str, dict[str, Any]] = {
    "keypointrcnn_r50": {"backbone": "resnet50.tv_in1k"},
    "keypointrcnn_r101": {"backbone": "resnet101.tv_in1k"},
    "keypointrcnn_r152": {"backbone": "resnet152.tv_in1k"},
    "keypointrcnn_swin_t": {"backbone": "swin_tiny_patch4_window7_224.ms_in1k", "optimiser": "adamw", "lr": 1e-4, "weight_decay": 0.05, "layer_decay": 0.85, "drop_path": 0.1, "clip": 1.0},
    "keypointrcnn_mobilenetv4": {"backbone": "mobilenetv4_conv_medium.e500_r224_in1k", "head_channels": 128, "head_layers": 4},
}  # fmt: skip
"""What a detector brings along; beside a dataset's own words on what is learned, it has the last one."""
_CROWD: dict[str, Any] = {"detections": 200, "box_nms": 0.7}
"""Settings for crowds: people whose boxes overlap by more than half are two; who was found twice goes by the similarity of poses."""
_DETECTED: dict[str, dict[str, Any]] = {
    "coco": {"dataset": "coco", "config": "2017", "detections": 20},
    "coco_foot": {"dataset": "coco_foot", "config": "joined", "detections": 20, "epochs": 20},
    "crowdpose": {"dataset": "crowdpose", "train": "trainval", "val": "test", **_CROWD, "epochs": 60, "note": "learned from train and val together and chosen on test, as in every published row"},
}  # fmt: skip

_LARGE = ("resnet50", "hrnet_w32", "hrnet_w48", "vit_s", "vit_b", "convnext_t", "swin_t", "mobilenetv4_s")
_FEW = ("resnet50", "hrnet_w32", "vit_s", "convnext_t", "mobilenetv4_s")
_LEARNED = {"ap10k": _LARGE, "cat": _FEW, "crowdpose": _LARGE, "coco": _LARGE, "coco_foot": _FEW, "akd": _FEW, "synthetic": ("resnet50", "hrnet_w32", "vit_s")}

PUBLISHED: dict[str, tuple[str, ...]] = {
    "ap10k-resnet50": ("ap10k-val-resnet50-256x256-mmpose",),
    "ap10k-hrnet_w32": ("ap10k-val-hrnet_w32-256x256-mmpose", "ap10k-val-hrnet_w32-256x256-ap10k"),
    "ap10k-hrnet_w48": ("ap10k-val-hrnet_w48-256x256-mmpose", "ap10k-val-hrnet_w48-256x256-ap10k"),
    "cat-resnet50": ("cat-val-resnet50-128x128-comp7606",),
    "crowdpose-resnet50": ("crowdpose-test-resnet50-256x192-mmpose",),
    "crowdpose-hrnet_w32": ("crowdpose-test-hrnet_w32-256x192-mmpose",),
    "coco-resnet50": ("coco-val-resnet50-256x192-mmpose", "coco-val-resnet50-256x192-simplebaseline"),
    "coco-hrnet_w32": ("coco-val-hrnet_w32-256x192-mmpose", "coco-val-hrnet_w32-256x192-hrnet"),
    "coco-hrnet_w48": ("coco-val-hrnet_w48-256x192-mmpose",),
    "coco-vit_s": ("coco-val-vit_s_simple-256x192-mmpose",),
    "coco-vit_b": ("coco-val-vit_b_simple-256x192-mmpose",),
    "coco-keypointrcnn_r50": ("coco-val-keypointrcnn_r50_fpn_v1-800x1333-torchvision", "coco-val-keypointrcnn_r50_fpn_legacy-800x1333-torchvision"),
    "coco-swin_t": ("coco-val-swin_t-256x192-mmpose",),
}
"""Rows of published.json beside the recipes that follow them."""


def _recipe(name: str, *choices: Mapping[str, Any]) -> Recipe:
    values: dict[str, Any] = {}
    for more in choices:
        values |= {k: f"{values[k]}; {v}" if k == "note" and k in values else v for k, v in more.items()}
    return Recipe(**{"published": PUBLISHED.get(name, ()), **values, "name": name})


_DRAWN: dict[str, Any] = {**DATASETS["synthetic"], **MODELS["mobilenetv4_s"], "pretrained": False, "lr": 6e-3, "warmup": 0.1, "batch": 16}
"""The recipes of `make demo-train` and of a first real run: two cores, no weights, no network."""
_GENTLE: dict[str, Any] = {"rotate": 10.0, "scale": (0.85, 1.15), "shift": 0.05, "ema": 0.99, "flip_test": False}
"""For a run too short to learn from strong changes: on 384 scenes and 20 epochs AP .18 of val, where the stronger changes and a third of the rate gave .12."""

_PEOPLE: dict[str, Any] = {
    **_RCNN, "dataset": "synthetic", "config": "person", "scenes": 1024, "width": 192, "height": 192, "backbone": "mobilenetv4_conv_small.e2400_r224_in1k",
    "pretrained": False, "norm": "group", "head_channels": 64, "head_layers": 4, "anchors": (16, 32, 56, 90, 140), "proposals": 100, "rois": 32, "detections": 20,
    "optimiser": "adamw", "lr": 2e-3, "weight_decay": 0.05, "schedule": "cosine", "milestones": (0.8, 0.95), "warmup": 0.05, "clip": 5.0,
    "epochs": 10, "batch": 4, "ema": 0.99, "colour": 0.2, "validate_every": 5,
    "note": "about 20 minutes of one CPU core; --init runs/synthetic-mobilenetv4 lends it a backbone that has seen poses",
}  # fmt: skip
"""A small detector for two cores, without weights and network."""

RECIPES: dict[str, Recipe] = (
    {f"{d}-{m}": _recipe(f"{d}-{m}", MODELS[m], DATASETS[d]) for d, models in _LEARNED.items() for m in models}
    | {f"{d}-{m}": _recipe(f"{d}-{m}", _RCNN, DETECTORS[m], known) for d, known in _DETECTED.items() for m in DETECTORS}
    | {
        "synthetic-person-keypointrcnn": _recipe("synthetic-person-keypointrcnn", _PEOPLE),
        "synthetic-mobilenetv4": _recipe(
            "synthetic-mobilenetv4",
            _DRAWN,
            {"scenes": 1536, "epochs": 20, "rotate": 20.0, "ema": 0.998, "validate_every": 4, "note": "about 20 minutes on 2 CPU cores"},
        ),
        "synthetic-demo": _recipe(
            "synthetic-demo", _DRAWN, _GENTLE, {"scenes": 384, "epochs": 20, "validate_every": 5, "note": "about 3 minutes on 2 CPU cores"}
        ),
        "akd-mobilenetv4": _recipe(
            "akd-mobilenetv4",
            _DRAWN,
            DATASETS["akd"],
            {
                "config": "",
                "scenes": 0,
                "batch": 16,
                "lr": 3e-3,
                "rotate": 20.0,
                "ema": 0.99,
                "epochs": 40,
                "validate_every": 10,
                "note": "the network of synthetic-mobilenetv4, to start from its run or from scratch",
            },
        ),
    }
)
"""The recipes by name: DATASET-MODEL."""
