"""Recipes: values that go out to TOML and come back, and faults that say the way out."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

import posedata
from baselines.listing import list_recipes, options_guide, published_of, recipe_guide
from baselines.recipes import GROUPS, RECIPES, Recipe, load_recipe, read_recipe
from posebench.metrics import read_metric
from posedata.entries import entry
from posedata.errors import PoseError


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_goes_out_to_toml_and_comes_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(RECIPES[name].to_toml())
    assert read_recipe(path) == RECIPES[name]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_names_what_exists(name: str) -> None:
    r = RECIPES[name]
    known = entry(r.dataset)
    splits = known.splits[r.config or next(iter(known.splits))]
    assert {r.train.split("[")[0], r.val.split("[")[0]} <= set(splits)
    assert read_metric(r.score)
    assert len(published_of(r)) == len(r.published), "a published row that published.json lacks"
    assert name == r.name and name.startswith(r.dataset)
    assert name in recipe_guide(name)[1] and name in list_recipes()[1]


def test_the_backbones_of_all_recipes_are_known_to_timm() -> None:
    timm = pytest.importorskip("timm")
    for r in RECIPES.values():
        assert timm.is_model(r.backbone) and timm.get_pretrained_cfg(r.backbone, allow_unregistered=False) is not None, r.backbone


def test_a_setting_said_on_the_command_line_is_read_as_its_kind() -> None:
    r = Recipe().with_settings(["lr=1e-3", "batch=1e2", "scale=.5,1.5", "freeze=backbone,head", "compile=yes", "head=fpn", "channels-last=false", "freeze="])
    assert (r.lr, r.batch, r.scale, r.compile, r.head, r.channels_last) == (1e-3, 100, (0.5, 1.5), True, "fpn", False)
    assert r.freeze == ()
    assert Recipe().with_settings(["freeze=backbone,head"]).freeze == ("backbone", "head")
    assert isinstance(r.batch, int) and isinstance(Recipe().with_settings(["lr=1"]).lr, float)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("lrr=1", "no setting 'lrr'; did you mean 'lr'?"),
        ("lr", "no value; write name=value"),
        ("lr=fast", "lr: 'fast'; a number"),
        ("lr=nan", "lr: 'nan'"),
        ("lr=-1", "from 0 to 10"),
        ("head=fpm", "did you mean 'fpn'?"),
        ("epochs=1.5", "a whole number"),
        ("epochs=0", "from 1"),
        ("epochs=true", "a whole number"),
        ("scale=1", "two numbers, the smaller first"),
        ("scale=2,1", "two numbers, the smaller first"),
        ("accumulate=3", "64 crops in 3 parts; batch is a multiple of accumulate"),
        ("flip_test=maybe", "true or false"),
    ],
)
def test_a_wrong_setting_says_where_and_the_way_out(said: str, text: str) -> None:
    with pytest.raises(PoseError) as e:
        Recipe().with_settings([said])
    assert text in str(e.value) and "\n" not in str(e.value)


def test_a_recipe_file_may_build_on_another_recipe(tmp_path: Path) -> None:
    path = tmp_path / "short.toml"
    path.write_text('base = "ap10k-hrnet_w32"\nepochs = 10\nscale = [0.8, 1]\n')
    assert read_recipe(path) == replace(RECIPES["ap10k-hrnet_w32"], name="short", epochs=10, scale=(0.8, 1.0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochz = 1", "did you mean 'epochs'?"),
        ("epochs = ", "a recipe is a TOML file"),
        ("epochs = []", "a whole number"),
        ("scale = [[1]]", "numbers"),
        ("lr = inf", "a number"),
        ('base = "nothing"', "no such recipe"),
    ],
)
def test_a_broken_recipe_file_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(PoseError, match=r".") as e:
        load_recipe(path)
    assert said in str(e.value) and "\n" not in str(e.value)


def test_a_name_nobody_knows_gets_its_neighbour() -> None:
    with pytest.raises(PoseError, match="did you mean 'ap10k-hrnet_w32'"):
        load_recipe("ap10k-hrnet_w31")
    with pytest.raises(PoseError, match="no such file"):
        load_recipe("nowhere.toml")


def test_every_setting_is_explained() -> None:
    values, text = options_guide()
    assert set(values) == {f.name for f in fields(Recipe)}
    assert all(v["what"] in text for v in values.values())
    assert {f.metadata["group"] for f in fields(Recipe)} == set(GROUPS)


def test_the_fingerprint_follows_choices_not_names() -> None:
    r = Recipe()
    assert replace(r, name="other", note="x").fingerprint == r.fingerprint
    assert all(replace(r, **change).fingerprint != r.fingerprint for change in ({"lr": 0.1}, {"seed": 1}, {"scale": (1.0, 1.0)}))


def test_the_toml_of_hostile_text_is_toml() -> None:
    r = replace(Recipe(), note='a "quote"\n# and \\ \x7f é \U0001f600')
    assert tomllib.loads(r.to_toml())["note"] == r.note
    assert set(tomllib.loads(r.to_toml())) == set(asdict(r))


def test_all_schemas_have_two_halves_or_no_figure() -> None:
    pytest.importorskip("torch")
    from baselines.augment import body_of

    for schema in posedata.SCHEMAS.values():
        first = body_of(schema).first
        assert not len(schema) or 0.2 < first.float().mean() < 0.8 or all(k.at is None for k in schema.keypoints)
