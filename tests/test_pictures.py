"""Opening pictures inside their folder, and drawing sheets and schemas a person can read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from posedata import SCHEMAS, DataError, FormatError, PoseDataset, Schema
from posedata.images import LEFT, RIGHT, contact_sheet, draw_pose, draw_schema, open_image, point_colours, save_picture
from tests.conftest import poses


def with_pictures(folder: Path, ds: PoseDataset | None = None) -> PoseDataset:
    """A made dataset whose pictures exist."""
    ds = ds or poses()
    for name in ds.images.file:
        Image.new("RGB", (100, 100), (90, 120, 90)).save(folder / name, "PNG")
    return replace(ds, images=replace(ds.images, folder=np.full(len(ds.images), str(folder), object)))


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../b.png", "..\\b.png", "C:\\b.png", "a\0.png"])
def test_a_name_never_leaves_its_folder(tmp_path: Path, name: str) -> None:
    ds = with_pictures(tmp_path)
    ds = replace(ds, images=replace(ds.images, file=np.array([name, "a", "b", "c"], object)))
    with pytest.raises(FormatError, match="leaves its folder"):
        open_image(ds.images, 0)


@pytest.mark.parametrize("name", ["Кошка \"q\" 'a'.png", "a b/c.png", "...png", "ünï.png"])
def test_any_other_name_opens(tmp_path: Path, name: str) -> None:
    (tmp_path / "a b").mkdir()
    ds = replace(poses(), images=replace(poses().images, file=np.array([name, "2.png", "3.png", "4.png"], object)))
    assert open_image(with_pictures(tmp_path, ds).images, 0).size == (100, 100)


def test_pictures_that_cannot_be_had_say_why(tmp_path: Path) -> None:
    ds = with_pictures(tmp_path)
    (tmp_path / "1.png").write_bytes(b"no picture")
    (tmp_path / "2.png").unlink()
    for row, words in ((0, "cannot be decoded"), (1, "no such picture")):
        with pytest.raises(FormatError, match=words):
            open_image(ds.images, row)
    with pytest.raises(FormatError, match="nobody said where its picture lies"):
        open_image(poses().images, 0)


def test_stored_orientation_is_left_alone(tmp_path: Path) -> None:
    picture = Image.new("RGB", (30, 20))
    exif = picture.getexif()
    exif[274] = 6
    picture.save(tmp_path / "1.jpg", exif=exif)
    ds = PoseDataset.from_arrays(image=[1], images={"id": [1], "file": ["1.jpg"], "folder": [str(tmp_path)]})
    assert open_image(ds.images, 0).size == (30, 20)


def test_left_is_warm_and_right_is_cool() -> None:
    colours = dict(zip(SCHEMAS["akd16"].names, point_colours(SCHEMAS["akd16"]), strict=True))
    assert colours["front_left_paw"] == LEFT
    assert colours["rear_right_paw"] == RIGHT


def test_only_labelled_points_are_drawn() -> None:
    ds = poses(n=1)
    blank = Image.new("RGB", (100, 100))
    nothing = draw_pose(blank, ds.schema, ds.instances.keypoints, np.zeros((1, 17), bool))
    assert np.asarray(nothing).sum() == 0
    assert np.asarray(draw_pose(blank, ds.schema, ds.instances.keypoints, ds.instances.labelled)).sum() > 0


def test_a_sheet_shows_what_it_can_and_names_what_it_cannot(tmp_path: Path) -> None:
    ds = with_pictures(tmp_path)
    (tmp_path / "2.png").unlink()
    sheet = contact_sheet(ds, 4, tile=100)
    shown = (np.asarray(sheet) == (90, 120, 90)).all(-1).sum()
    empty = (np.asarray(sheet) == (236, 233, 226)).all(-1).sum()
    assert 12_000 < shown < 30_000
    assert 8_000 < empty < 10_000


def test_a_sheet_by_a_column_has_a_row_for_each_value(tmp_path: Path) -> None:
    ds = with_pictures(tmp_path)
    ds = replace(ds, instances=ds.instances.with_meta(species=np.array(["a", "b", "a", "b", "c"], object)))
    assert contact_sheet(ds, by="species", tile=100).height > 2.5 * contact_sheet(ds, by="category", tile=100).height / 1.2
    with pytest.raises(DataError, match=r"no column 'specie'; did you mean 'species'\?"):
        contact_sheet(ds, by="specie")


@pytest.mark.parametrize("name", [n for n, s in SCHEMAS.items() if len(s)])
def test_every_schema_can_be_drawn_without_labels_touching(name: str) -> None:
    from posedata.images import _spread

    drawn = np.asarray(draw_schema(SCHEMAS[name]))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 50
    spread = _spread(np.array([70.0, 70, 70, 71, 300]), 20, 66, 320)
    assert np.diff(spread).min() >= 20
    assert spread[0] >= 66


def test_a_users_schema_without_places_is_drawn_as_a_ring() -> None:
    ring = Schema.from_dict({"name": "mine", "keypoints": ["a", "b", "c"], "sigmas": 0.1, "limbs": [["a", "b"]]})
    assert draw_schema(ring).width > 300
    with pytest.raises(DataError, match="no keypoints to draw"):
        draw_schema(SCHEMAS["none"])


def test_a_picture_is_saved_in_the_format_of_its_name(tmp_path: Path) -> None:
    for suffix, kind in ((".png", "PNG"), (".jpg", "JPEG"), (".webp", "WEBP")):
        with Image.open(save_picture(Image.new("RGB", (4, 4)), tmp_path / f"deep/a{suffix}")) as picture:
            assert picture.format == kind
    with pytest.raises(FormatError, match=r"no picture ends in '\.gif'"):
        save_picture(Image.new("RGB", (4, 4)), "a.gif")


def test_a_notebook_sees_a_table_and_a_picture_with_all_text_escaped(tmp_path: Path) -> None:
    ds = replace(with_pictures(tmp_path), name="<script>alert(1)</script>")
    page = ds._repr_html_()
    assert "data:image/png;base64," in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "data:image/png;base64," in poses()._repr_html_()
