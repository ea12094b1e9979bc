"""Losses, learning rates and checkpoints: what is counted, what learns how fast, and what a file must hold."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

import posedata
from posedata.errors import PoseError

torch = pytest.importorskip("torch")

from baselines.checkpoint import flat_state, load_state, read_tensors, restore_state, save_tensors  # noqa: E402
from baselines.data import Batch  # noqa: E402
from baselines.freezing import frozen_parts  # noqa: E402
from baselines.losses import loss_of  # noqa: E402
from baselines.models import Output, build  # noqa: E402
from baselines.optim import Mean, groups_of, learning_rate, optimiser_of, set_rate  # noqa: E402
from baselines.recipes import Recipe  # noqa: E402
from tests.tiny import RECIPE  # noqa: E402

SCHEMA = posedata.load_schema("ap10k17")


def batch_of(v: torch.Tensor, annotated: torch.Tensor | None = None) -> Batch:
    n, k = v.shape
    points = torch.rand(n, k, 2, generator=torch.Generator().manual_seed(1)) * 40 + 10
    return Batch(torch.zeros(n, 3, 64, 64), points, v, torch.ones(n, k, dtype=torch.bool) if annotated is None else annotated, torch.arange(n))


# -- losses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["deconv", "simcc"])
def test_perfect_maps_cost_nothing_and_empty_ones_one(head: str) -> None:
    coding = build(replace(RECIPE, head=head, head_layers=0), SCHEMA).coding
    batch = batch_of(torch.full((3, 17), 2.0))
    targets, _ = coding.encode(batch.points, batch.v)
    maps = tuple((t + 1e-12).log() for t in targets) if head == "simcc" else targets
    assert loss_of(Output(maps, None), batch, coding).total < 1e-4
    if head == "deconv":
        assert abs(loss_of(Output(tuple(t * 0 for t in targets), None), batch, coding).total - 1) < 0.02


def test_only_labelled_points_count_whatever_lies_elsewhere() -> None:
    coding = build(RECIPE, SCHEMA).coding
    v = torch.full((2, 17), 2.0)
    v[:, 5] = 0
    batch = batch_of(v)
    (target,), _ = coding.encode(batch.points, v)
    wrong = target.clone()
    wrong[:, 5] = 1e6
    assert loss_of(Output((wrong,), None), batch, coding).total < 1e-6
    lost = batch.points.clone()
    lost[:, 5] = float("nan")
    assert torch.isfinite(loss_of(Output((target,), None), batch._replace(points=lost), coding).total)
    wrong[:, 6] += 0.1
    assert loss_of(Output((wrong,), None), batch, coding).total > 0.01
    assert loss_of(Output((wrong,), None), batch._replace(v=v * 0), coding).total == 0, "a batch without a labelled point teaches nothing"


def test_hidden_points_weigh_as_the_recipe_says() -> None:
    for hidden, cost in (("same", 1.0), ("negative", 4.0), ("ignore", 0.0)):
        coding = build(replace(RECIPE, hidden=hidden), SCHEMA).coding
        (seen,), _ = replace(coding, hidden="same").encode(batch_of(torch.full((2, 17), 2.0)).points, torch.full((2, 17), 2.0))
        batch = batch_of(torch.ones(2, 17))
        empty = loss_of(Output((seen * (hidden == "negative"),), None), batch, coding).total
        assert abs(empty - cost) < 0.05, hidden


def test_presence_is_learned_where_annotated_only() -> None:
    coding = build(RECIPE, SCHEMA).coding
    known = torch.ones(2, 17, dtype=torch.bool)
    known[:, 3] = False
    v = torch.full((2, 17), 2.0)
    v[:, 3] = v[:, 4] = 0
    batch = batch_of(v, known)
    (target,), _ = coding.encode(batch.points, v)
    logits = torch.where(v > 0, 20.0, -20.0)
    assert loss_of(Output((target,), logits), batch, coding).presence < 1e-6
    logits[:, 3] = 20.0
    assert loss_of(Output((target,), logits), batch, coding).presence < 1e-6
    logits[:, 4] = 20.0
    assert loss_of(Output((target,), logits), batch, coding).presence > 0.5


# -- learning rates ------------------------------------------------------------------------------------


def rates(steps: int, **changes: object) -> list[float]:
    recipe = replace(Recipe(), **{"lr": 1.0, **changes})  # type: ignore[arg-type]
    return [learning_rate(step, steps, recipe) for step in range(steps)]


def test_onecycle_is_torchs_in_three_phases() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1.0, total_steps=101, three_phase=True, pct_start=0.3, cycle_momentum=False)
    expected = []
    for _ in range(101):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        theirs.step()
    # torch ends each phase one step early: the same curve, shifted by at most that
    assert max(abs(a - b) for a, b in zip(rates(101, schedule="onecycle"), expected, strict=True)) < 0.06


def test_schedules_end_where_they_should_and_warm_up_is_a_share() -> None:
    assert rates(1000, schedule="step", milestones=(0.8, 0.95))[::200] == [1.0, 1.0, 1.0, 1.0, pytest.approx(0.1)]
    assert rates(1000, schedule="step", milestones=(0.8, 0.95))[-1] == pytest.approx(0.01)
    cosine = rates(101, schedule="cosine")
    assert cosine[0] == 1 and cosine[50] == pytest.approx(0.5) and cosine[-1] == pytest.approx(0)
    warm = rates(100, schedule="constant", warmup=0.1)
    assert warm[0] == pytest.approx(0.1) and warm[9:] == [1.0] * 91 and warm[:10] == sorted(warm[:10])
    assert max(rates(3, schedule="constant", warmup=0.1)) == 1.0, "a run of three steps is not spent warming up"
    assert rates(1, schedule="cosine") == [1.0]


def test_layer_decay_is_in_the_groups_and_survives_the_schedule() -> None:
    recipe = replace(RECIPE, backbone="test_vit", head="bilinear", layer_decay=0.5, weight_decay=0.1)
    model = build(recipe, SCHEMA)
    scales = sorted({g["scale"] for g in groups_of(model, recipe)})
    assert len(scales) >= 4 and scales[-1] == 1 and all(round(b / a, 6) in (2, 4, 8) for a, b in pairwise(scales))
    optimiser = optimiser_of(model, recipe)
    set_rate(optimiser, 0.5)
    assert sorted({g["lr"] for g in optimiser.param_groups}) == [s * 0.5 for s in scales]
    by_name = {n: g for g in optimiser.param_groups for n in g["names"]}
    assert set(by_name) == {n for n, _ in model.named_parameters()}
    first, last = (next(g["scale"] for n, g in by_name.items() if word in n) for word in ("patch_embed", "blocks.5"))
    assert first < last and by_name["head.out.weight"]["scale"] == 1
    assert all(g["weight_decay"] == 0 for n, g in by_name.items() if n.endswith(".bias") or "pos_embed" in n or "norm" in n)
    assert by_name["head.out.weight"]["weight_decay"] == 0.1


def test_frozen_weights_do_not_learn_and_freezing_all_is_refused() -> None:
    model = build(RECIPE, SCHEMA)
    still = frozen_parts(model, ("backbone",))
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in still)
    assert all(n.startswith(("head", "presence")) for g in groups_of(model, RECIPE) for n in g["names"])
    frozen_parts(model, ("head", "presence"))
    with pytest.raises(PoseError, match="nothing is left to learn"):
        groups_of(model, replace(RECIPE, freeze=("backbone", "head", "presence")))
    with pytest.raises(PoseError, match=r"no weight begins with 'bakbone'.*backbone, head"):
        frozen_parts(model, ("bakbone",))


def test_the_mean_forgets_its_start_and_counts_batches() -> None:
    model = torch.nn.BatchNorm1d(2)
    mean = Mean(model, 0.9)
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.num_batches_tracked.fill_(7)
    for step in range(1, 200):
        mean.update(model, step)
    assert torch.allclose(mean.values["weight"], torch.full((2,), 3.0)) and mean.values["num_batches_tracked"] == 7


# -- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_an_optimiser_goes_into_a_file_and_comes_back(name: str, tmp_path: Path) -> None:
    recipe = replace(RECIPE, optimiser=name)

    def stepped(model: torch.nn.Module, optimiser: torch.optim.Optimizer, times: int) -> None:
        for _ in range(times):
            for i, p in enumerate(model.parameters()):
                p.grad = torch.full_like(p, 0.1 + 0.01 * i)
            optimiser.step()

    one, other = build(recipe, SCHEMA), build(recipe, SCHEMA)
    first, second = optimiser_of(one, recipe), optimiser_of(other, recipe)
    stepped(one, first, 2)
    save_tensors(tmp_path / "o.safetensors", flat_state(first), {"step": 2})
    other.load_state_dict(one.state_dict())
    tensors, header = read_tensors(tmp_path / "o.safetensors")
    restore_state(second, tensors)
    stepped(one, first, 2)
    stepped(other, second, 2)
    assert header == {"step": 2} and all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_weights_of_another_recipe_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_tensors(path, build(replace(RECIPE, backbone="test_vit", head="bilinear"), SCHEMA).state_dict(), {})
    with pytest.raises(PoseError) as e:
        load_state(build(RECIPE, SCHEMA), read_tensors(path)[0], str(path))
    assert "weights of another recipe" in str(e.value) and "\n" not in str(e.value)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PoseError, match="no checkpoint of ours"):
        read_tensors(path)
    with pytest.raises(PoseError, match="no such file"):
        read_tensors(tmp_path / "none.safetensors")
