"""The renderer of synthetic scenes: what it says about its pictures is true."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from posedata.synthetic import quadruped, raster
from posedata.synthetic.scene import POINTS, SPECIES, Figure, Scene, render, visibility
from posedata.synthetic.shading import PATTERNS
from posedata.synthetic.solids import SIDEWAYS, Camera, Point, Solid, project_points, project_solids, unit
from posedata.synthetic.species import COMPANY, QUADRUPEDS

CONFIGS = ("quadruped", "person")
each_config = pytest.mark.parametrize("config", CONFIGS)


@cache
def scenes(config: str, count: int = 60, size: int = 128) -> tuple[Scene, ...]:
    return tuple(render(config, seed=0, split="test", index=i, size=size) for i in range(count))


def figures(config: str) -> list[tuple[Scene, Figure]]:
    return [(scene, figure) for scene in scenes(config) for figure in scene.figures]


def fingerprint(scene: Scene) -> bytes:
    parts = [scene.pixels, *(f.keypoints for f in scene.figures), *(f.mask for f in scene.figures)]
    return b"".join(p.tobytes() for p in parts) + repr([(f.species, f.coat, f.facing) for f in scene.figures]).encode()


def ball(x: float, y: float, z: float, r: float) -> Solid:
    return Solid(np.array([x, y, z]), np.array([x, y, z]), r, r, "coat")


def front_camera(scale: float = 1.0) -> Camera:
    return Camera(x=10.0, row=10.0, scale=scale, yaw=0.0, pitch=0.0, reach=1e9)


@each_config
def test_the_same_arguments_give_the_same_bytes(config: str) -> None:
    a, b = (render(config, seed=4, split="val", index=17) for _ in range(2))
    assert fingerprint(a) == fingerprint(b)


@each_config
@pytest.mark.parametrize("other", [{"seed": 5}, {"split": "train"}, {"index": 18}])
def test_another_seed_split_or_index_gives_another_scene(config: str, other: dict[str, int | str]) -> None:
    arguments = {"seed": 4, "split": "val", "index": 17}
    assert fingerprint(render(config, **arguments)) != fingerprint(render(config, **(arguments | other)))  # type: ignore[arg-type]


def test_a_new_process_with_another_hash_seed_draws_the_same_scene() -> None:
    code = (
        "import sys, zlib; sys.path.insert(0, sys.argv[1])\n"
        "from posedata.synthetic.scene import render\n"
        "s = render('quadruped', seed=1, split='val', index=3)\n"
        "print(zlib.crc32(s.pixels.tobytes() + b''.join(f.keypoints.tobytes() for f in s.figures)))"
    )
    root = str(Path(raster.__file__).parents[2])
    runs = [
        subprocess.run([sys.executable, "-c", code, root], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] != ""


@each_config
def test_shapes_and_types_are_as_promised(config: str) -> None:
    for scene in scenes(config):
        height, width, channels = scene.pixels.shape
        assert scene.pixels.dtype == np.uint8 and channels == 3 and max(height, width) == 128
        for f in scene.figures:
            assert f.keypoints.shape == (len(POINTS[config]), 3) and f.keypoints.dtype == np.float64
            assert f.mask.shape == (height, width) and f.mask.dtype == bool
            assert f.species in SPECIES[config] and -180 <= f.facing < 180 and f.scale > 0


@each_config
def test_keypoints_are_rounded_to_a_hundredth_of_a_pixel(config: str) -> None:
    for _, f in figures(config):
        assert np.array_equal(f.keypoints[:, :2], f.keypoints[:, :2].round(2))


@each_config
def test_v_is_zero_exactly_outside_the_frame(config: str) -> None:
    kinds = set()
    for _, f in figures(config):
        (height, width), (x, y, v) = f.mask.shape, f.keypoints.T
        inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
        assert np.array_equal(v > 0, inside)
        kinds |= set(v.tolist())
    assert kinds == {0.0, 1.0, 2.0}


@each_config
def test_points_outside_the_frame_keep_their_true_places(config: str) -> None:
    outside = np.concatenate([f.keypoints[f.keypoints[:, 2] == 0] for _, f in figures(config)])
    assert len(outside) > 20 and (outside[:, :2] != 0).any(1).all()


@each_config
def test_a_seen_point_lies_on_the_mask_of_its_figure(config: str) -> None:
    for _, f in figures(config):
        for x, y, v in f.keypoints.tolist():
            if v == 2:
                height, width = f.mask.shape
                assert f.mask[min(int(y + 0.5), height - 1), min(int(x + 0.5), width - 1)]


@each_config
def test_masks_of_a_scene_do_not_overlap(config: str) -> None:
    stacked = [np.sum([f.mask for f in scene.figures], axis=0) for scene in scenes(config) if len(scene.figures) > 1]
    assert len(stacked) > 5 and max(s.max() for s in stacked) == 1


@each_config
def test_every_figure_has_pixels_and_a_seen_point(config: str) -> None:
    assert all(f.mask.any() and (f.keypoints[:, 2] == 2).any() for _, f in figures(config))


def test_every_species_appears_early() -> None:
    seen = {f.species for i in range(250) for f in render("quadruped", seed=0, split="train", index=i, size=48).figures}
    assert seen == set(SPECIES["quadruped"])


@each_config
def test_scenes_hold_one_two_and_many_figures_and_sometimes_none(config: str) -> None:
    counts = {len(render(config, seed=0, split="train", index=i, size=32).figures) for i in range(150)}
    assert counts >= {0, 1, 2, 3, 4}


@each_config
def test_left_and_right_both_have_a_side_in_front(config: str) -> None:
    """Mirror pairs: facing right shows the right side, facing left the left side."""
    names = POINTS[config]
    left, right = names.index("left_eye"), names.index("right_eye")
    for facing, near, far in ((0, right, left), (180, left, right)):
        shown = [f.keypoints[[near, far], 2] == 2 for _, f in figures(config) if abs((f.facing - facing + 180) % 360 - 180) < 40]
        assert len(shown) > 3
        assert np.mean([s[0] for s in shown]) > np.mean([s[1] for s in shown]) + 0.2


@each_config
def test_both_points_of_every_mirror_pair_are_present(config: str) -> None:
    names = set(POINTS[config])
    assert {n.replace("left_", "right_") for n in names if n.startswith("left_")} == {n for n in names if n.startswith("right_")}
    assert len(names) == {"quadruped": 17, "person": 23}[config]


def test_a_scene_drawn_smaller_is_the_same_scene() -> None:
    small, large = (render("quadruped", seed=0, split="train", index=9, size=s) for s in (128, 256))
    assert [f.species for f in small.figures] == [f.species for f in large.figures]
    for a, b in zip(small.figures, large.figures, strict=True):
        assert np.abs((a.keypoints[:, :2]) * 2 - b.keypoints[:, :2]).max() < 3


@pytest.mark.parametrize("config", ["horse", "Person", ""])
def test_an_unknown_config_is_refused(config: str) -> None:
    with pytest.raises(KeyError):
        render(config, seed=0, split="train", index=0)


def test_a_ball_covers_the_pixels_within_its_radius() -> None:
    surface = raster.draw(project_solids([ball(0, 0, 0, 4.0)], front_camera()), 21, 21)
    assert surface is not None
    mask = np.zeros((21, 21), bool)
    mask[surface.window] = surface.solid
    y, x = np.mgrid[:21, :21]
    assert np.array_equal(mask, (x - 10) ** 2 + (y - 10) ** 2 <= 16)


def test_a_squeezed_ball_is_an_ellipse_of_the_right_size() -> None:
    """Squeezed to a half along x, drawn exactly: the outline is 2 by 4."""
    solid = ball(0, 0, 0, 4.0)._replace(flat=0.5, side=unit(1, 0, 0))
    surface = raster.draw(project_solids([solid], front_camera()), 21, 21)
    assert surface is not None
    assert surface.solid.any(0).sum() == 5 and surface.solid.any(1).sum() == 9


def test_the_depth_of_a_tilted_squeezed_ball_is_that_of_its_quadric() -> None:
    side, flat = unit(0.5, 0.4, 0.7), 0.4
    sweeps = project_solids([ball(0, 0, 0, 8.0)._replace(flat=flat, side=side)], front_camera())
    surface = raster.draw(sweeps, 21, 21)
    assert surface is not None
    s = sweeps.side[0]
    rows, columns = np.nonzero(surface.edge > 0.3)
    p = np.column_stack([columns + surface.left - 10.0, rows + surface.top - 10.0, surface.depth[rows, columns]])
    assert np.allclose((p * p).sum(1) + (1 / flat**2 - 1) * (p @ s) ** 2, 64, rtol=2e-2)


def test_a_foreshortened_limb_reaches_as_near_as_its_near_end() -> None:
    limb = Solid(np.array([0, 0, 0.0]), np.array([0, 0, 9.0]), 3.0, 3.0, "coat")
    surface = raster.draw(project_solids([limb], front_camera()), 21, 21)
    assert surface is not None and abs(float(surface.depth.max()) - 12) < 0.05


def seen_of(points: list[Point], solids: list[Solid], camera: Camera, others: np.ndarray | None = None) -> list[float]:
    surface = raster.draw(project_solids(solids, camera), 21, 21)
    assert surface is not None
    mask = np.zeros((21, 21), bool)
    mask[surface.window] = surface.solid
    if others is not None:
        mask &= ~others
    return visibility(project_points(points, camera), surface, mask).tolist()  # type: ignore[no-any-return]


def test_a_point_is_hidden_by_its_own_body() -> None:
    near, far = Point(np.array([0, 0, 5.0]), 2.0), Point(np.array([0, 0, -5.0]), 2.0)
    assert seen_of([near, far], [ball(0, 0, 5, 2), ball(0, 0, -5, 2)], front_camera()) == [2, 1]


def test_a_point_is_hidden_by_somebody_else() -> None:
    point, wall = Point(np.array([0, 0, 0.0]), 2.0), np.zeros((21, 21), bool)
    assert seen_of([point], [ball(0, 0, 0, 2)], front_camera(), wall) == [2]
    wall[10, 10] = True
    assert seen_of([point], [ball(0, 0, 0, 2)], front_camera(), wall) == [1]


def test_a_point_beyond_the_frame_is_outside_and_one_on_its_edge_is_not() -> None:
    places = [Point(np.array([x, 0, 0.0]), 2.0) for x in (-10.5, -10.51, 10.5, 10.51)]
    assert seen_of(places, [Solid(-12 * unit(1, 0, 0), 12 * unit(1, 0, 0), 2, 2, "coat")], front_camera()) == [2, 0, 2, 0]


def test_the_nose_and_eyes_hide_when_the_head_faces_away() -> None:
    rng = np.random.default_rng(0)
    body = quadruped.quadruped("cat", "walk", rng)
    for yaw, expected in ((np.pi / 2, 2.0), (-np.pi / 2, 1.0)):
        camera = Camera(x=60, row=110, scale=80, yaw=yaw, pitch=0.1, reach=10)
        surface = raster.draw(project_solids(body.solids, camera), 128, 128)
        assert surface is not None
        mask = np.zeros((128, 128), bool)
        mask[surface.window] = surface.solid
        v = visibility(project_points(body.points, camera), surface, mask)
        assert (v[:3] == expected).all(), (yaw, v[:3])


def test_a_figure_facing_right_shows_its_right_side() -> None:
    right = project_points([Point(SIDEWAYS, 0.1)], front_camera())[0, 2]
    assert right == 1.0


def test_species_name_coats_poses_and_company_that_exist() -> None:
    for kind in QUADRUPEDS.values():
        assert all(coat.pattern in {"plain", *PATTERNS} for coat in kind.coats.values()) and kind.coats and kind.poses
    assert {name for group in COMPANY for name in group} == set(QUADRUPEDS)


@each_config
def test_pictures_are_neither_flat_nor_burnt_out(config: str) -> None:
    for scene in scenes(config):
        assert scene.pixels.std() > 8 and 25 < scene.pixels.mean() < 245
