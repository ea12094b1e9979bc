"""Models as ONNX and torch.export files: what they say is what the model says, for any number of images, and numpy decodes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from torch import nn  # noqa: E402

from baselines import export  # noqa: E402
from baselines.codec import Coding  # noqa: E402
from baselines.export import describe, export_onnx, export_torch  # noqa: E402
from posedata.errors import PoseError  # noqa: E402
from tests.modelled import noise, small  # noqa: E402

LIKE_THE_DEFAULTS = {
    "mobilenetv4 with fpn": {"backbone": "mobilenetv4_conv_small_035", "head": "fpn"},
    "vit with bilinear": {"backbone": "test_vit", "head": "bilinear", "presence": False},
    "resnet with deconvolutions": {"backbone": "test_resnet", "head": "deconv"},
}
"""Small relatives of the recipes' models."""


@pytest.mark.parametrize("name", LIKE_THE_DEFAULTS)
def test_onnx_says_what_the_model_says(name: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = small(**LIKE_THE_DEFAULTS[name])
    path = tmp_path / "model.onnx"
    assert export_onnx(model, path) < 1e-4
    assert model.training, "left as it was"
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = noise(model, n=5)
    said = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"images": images.numpy()}), strict=True))
    with torch.no_grad():
        out = model.eval()(images)
    assert list(said) == describe(model)["outputs"] == (["heatmaps", "presence"] if model.presence else ["heatmaps"])
    told = json.loads(session.get_modelmeta().custom_metadata_map["posebench"])
    assert told["keypoints"] == list(model.schema.names) and told["images"]["width"] == 64
    points = Coding(**{**told["coding"], "size": tuple(told["coding"]["size"])}).decode(said["heatmaps"])
    assert np.abs(points - model.decode(out).numpy()).max() < 0.05


def test_a_torch_program_says_what_the_model_says(tmp_path: Path) -> None:
    """Run by a fresh interpreter that knows nothing of this package."""
    model = small(head="simcc", head_layers=0, backbone="test_resnet").eval()
    path = tmp_path / "model.pt2"
    assert export_torch(model, path) < 1e-5
    images = noise(model, n=4)
    np.save(tmp_path / "images.npy", images.numpy())
    code = (
        "import sys, numpy as np, torch, json\nextra = {'posebench.json': ''}\n"
        "program = torch.export.load('model.pt2', extra_files=extra).module()\nout = program(torch.from_numpy(np.load('images.npy')))\n"
        "assert not any(m.startswith(('baselines', 'posedata', 'timm')) for m in sys.modules)\n"
        "np.savez('out.npz', **dict(zip(json.loads(extra['posebench.json'])['outputs'], [o.detach().numpy() for o in out])))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env={"PATH": "", "OMP_NUM_THREADS": "1"})
    said = np.load(tmp_path / "out.npz")
    with torch.no_grad():
        out = model(images)
    assert sorted(said) == ["presence", "x", "y"]
    assert np.allclose(said["x"], out.maps[0].numpy(), atol=1e-5) and np.allclose(said["presence"], out.presence.numpy(), atol=1e-5)
    assert np.allclose(model.coding.decode(said["x"], said["y"]), model.decode(out).numpy(), atol=0.05)


def test_a_file_that_says_something_else_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = small(), tmp_path / "model.pt2"
    kept = export_torch(model, path), path.read_bytes()
    run = export._run_torch
    monkeypatch.setattr(export, "_run_torch", lambda *given: [one * 1.01 for one in run(*given)])
    with pytest.raises(PoseError, match=r"model.pt2: differs from the model by 1.0e-02 of its largest output; the exporter's fault"):
        export_torch(model, path)
    assert path.read_bytes() == kept[1] and [p.name for p in tmp_path.iterdir()] == ["model.pt2"], "the former file stays, no other is left"
    monkeypatch.setattr(export, "_run_torch", lambda *given: [one * np.nan for one in run(*given)])
    with pytest.raises(PoseError, match="differs from the model by nan"):
        export_torch(model, path)
    monkeypatch.setattr(export, "_run_torch", lambda *given: run(*given)[:1])
    with pytest.raises(PoseError, match="differs from the model by inf"):
        export_torch(model, path)


class _Moody(nn.Module):
    def forward(self, images: Any) -> Any:
        return images[:, :, ::4, ::4] * (1 if images.sum() > 3 else 2)


def moody() -> nn.Module:
    return _Moody()


def test_a_model_that_cannot_be_followed_is_named_in_one_line(tmp_path: Path) -> None:
    model = small(backbone=f"{__name__}:moody", head="bilinear")
    with pytest.raises(PoseError, match=r"m.pt2: torch.export cannot follow .*:moody: .*; take another backbone, or rewrite what it names") as caught:
        export_torch(model, tmp_path / "m.pt2")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PoseError, match=r"model.pt2: cannot be written \(not a directory|model.pt2: cannot be written \(file exists"):
        export_torch(small(), tmp_path / "file" / "model.pt2")


def test_missing_tools_are_named_with_what_installs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PoseError, match=r"export to ONNX: not installed; pip install 'posebench\[export\]'"):
        export_onnx(small(), tmp_path / "model.onnx")
