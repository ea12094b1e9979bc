"""A backbone of three layers and a recipe that learns in seconds, for the tests of baselines."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from baselines.recipes import Recipe


def backbone() -> nn.Module:
    """Stride 4, 24 channels, batch norm as in real ones."""
    layers: list[nn.Module] = []
    for into, out, stride in ((3, 12, 2), (12, 24, 2), (24, 24, 1)):
        layers += [nn.Conv2d(into, out, 5, stride, 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*layers)


def without_norm() -> nn.Module:
    """The same without batch norm: what a part of a batch does to its weights does not depend on the other parts."""
    return nn.Sequential(*(m for m in backbone() if not isinstance(m, nn.BatchNorm2d)))


class Halves(nn.Module):
    """A backbone that drops values at random in training, as drop path does."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.drop = backbone(), nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        dropped: Tensor = self.drop(self.body(x))
        return dropped


RECIPE = replace(
    Recipe(name="tiny"), config="quadruped", train="train[:75%]", val="train[75%:]", scenes=16, backbone="tests.tiny:backbone", pretrained=False, head="deconv", head_layers=0,
    width=64, height=64, sigma=1.5, lr=0.01, epochs=2, batch=8, flip_test=False, rotate=10.0, decode="parabola", half_body=0.0,
)  # fmt: skip
"""Two epochs of three steps."""
