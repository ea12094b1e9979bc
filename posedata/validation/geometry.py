"""Geometry: points, boxes, areas and frames against each other. Rows that cannot matter are told by their extents, the rest point by point."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .findings import Hits, Rule, hits
from .subject import Batch, Subject

__all__ = ["GEOMETRY"]

Mask = NDArray[np.bool_]


def _points(rows: NDArray[np.intp], found: Mask, *figures: NDArray[Any]) -> Hits:
    """Hits from a (K, R) mask over some rows and (K, R) or (R,) figures."""
    at, k = np.nonzero(found.T)
    return hits(rows[at], *(f[k, at] if f.ndim == 2 else f[at] for f in figures), keypoint=k)


def _beyond(b: Batch, slack: float) -> NDArray[np.intp]:
    """Rows with a labelled point more than `slack` beyond the frame, whose centres run over [-.5, W - .5]."""
    x0, x1, y0, y1 = b.reach
    w, h = b.frame
    return np.flatnonzero((x0 < -0.5 - slack) | (y0 < -0.5 - slack) | ((x1 > w - 0.5 + slack) & (x1 > -np.inf)) | ((y1 > h - 0.5 + slack) & (y1 > -np.inf)))


def _how_far(b: Batch, rows: NDArray[np.intp]) -> Any:
    """(K, R) pixels beyond the frame, 0 inside."""
    x, y, v = b.take(rows)
    w, h = (side[rows] for side in b.frame)
    far = np.maximum(np.maximum(-0.5 - x, x - (w - 0.5)), np.maximum(-0.5 - y, y - (h - 0.5)))
    return np.where((v > 0) & np.isfinite(w), far, 0)


def outside_image(b: Batch) -> Hits:
    slack = b.limits["frame_slack"]
    rows = _beyond(b, slack)
    x, y, _ = b.take(rows)
    w, h = (side[rows] for side in b.frame)
    return _points(rows, _how_far(b, rows) > slack, x, y, w, h)


def on_the_edge(b: Batch) -> Hits:
    rows = _beyond(b, 0.0)
    far = _how_far(b, rows)
    x, y, _ = b.take(rows)
    w, h = (side[rows] for side in b.frame)
    return _points(rows, (far > 0) & (far <= b.limits["frame_slack"]), x, y, w, h)


def nowhere(b: Batch) -> Hits:
    x0, x1, y0, y1 = b.reach
    w, h = b.frame
    off = (x1 < -0.5) | (y1 < -0.5) | (x0 > w - 0.5) | (y0 > h - 0.5)
    rows = np.flatnonzero(off & (b.count > 0) & np.isfinite(w))
    return hits(rows, b.count[rows], x0[rows], y0[rows], w[rows], h[rows])


def _off_box(b: Batch, grown: float) -> Any:
    """(n,) pixels by which the labelled points leave the box, and the slack: a pixel, or a share of the box's size."""
    x0, x1, y0, y1 = b.reach
    bx, by, bw, bh = b.box
    with np.errstate(invalid="ignore"):
        off = np.maximum(np.maximum(bx - (x0 + 0.5), x1 + 0.5 - (bx + bw)), np.maximum(by - (y0 + 0.5), y1 + 0.5 - (by + bh)))
        return np.where((b.count > 0) & (bw > 0) & (bh > 0), off, -np.inf), np.maximum(b.limits["box_slack"], grown * np.maximum(bw, bh))


def _seen_off_box(b: Batch) -> Any:
    """Rows some of whose labelled points are far outside the box, and pixels by which those that are seen are; hidden ones may be."""
    off, far = _off_box(b, b.limits["box_grown"])
    rows = np.flatnonzero((off > far) & np.isfinite(off))
    x, y, v = b.take(rows)
    bx, by, bw, bh = (c[rows] for c in b.box)
    by_point = np.maximum(np.maximum(bx - (x + 0.5), x + 0.5 - (bx + bw)), np.maximum(by - (y + 0.5), y + 0.5 - (by + bh)))
    seen = np.where(v == 2, by_point, -np.inf).max(0, initial=-np.inf)
    return rows, np.where(seen > far[rows], seen, -np.inf)


def outside_box(b: Batch) -> Hits:
    off, _ = _off_box(b, 0.0)
    beyond = off > b.limits["box_slack"]
    rows, seen = _seen_off_box(b)
    beyond[rows[seen > 0]] = False
    rows = np.flatnonzero(beyond)
    return hits(rows, off[rows])


def far_outside_box(b: Batch) -> Hits:
    rows, seen = _seen_off_box(b)
    found = seen > 0
    rows = rows[found]
    return hits(rows, seen[found], b.box[2][rows], b.box[3][rows])


def _box_off_frame(b: Batch) -> Any:
    bx, by, bw, bh = b.box
    w, h = b.frame
    off = np.maximum(np.maximum(-bx, -by), np.maximum(bx + bw - w, by + bh - h))
    return np.where(np.isfinite(w) & np.isfinite(off), off, -np.inf), b.limits["box_far"] * np.maximum(w, h)


def box_outside_image(b: Batch) -> Hits:
    off, far = _box_off_frame(b)
    rows = np.flatnonzero(off > np.maximum(far, b.limits["box_slack"]))
    return hits(rows, *(c[rows] for c in (*b.box, *b.frame)))


def box_past_edge(b: Batch) -> Hits:
    off, far = _box_off_frame(b)
    rows = np.flatnonzero((off > b.limits["box_slack"]) & (off <= np.maximum(far, b.limits["box_slack"])))
    return hits(rows, off[rows])


def empty_box(b: Batch) -> Hits:
    _, _, w, h = b.box
    least = b.limits["least_box"]
    rows = np.flatnonzero((w < least) | (h < least))
    return hits(rows, w[rows], h[rows])


def no_area_left(b: Batch) -> Hits:
    rows = np.flatnonzero(b.area < b.limits["least_area"])
    return hits(rows, b.area[rows])


def area_over_box(b: Batch) -> Hits:
    of_box = b.box[2] * b.box[3]
    rows = np.flatnonzero((of_box > 0) & (b.area > of_box * (1 + b.limits["area_over_box"]) + 1))
    return hits(rows, b.area[rows], of_box[rows])


def area_under_box(b: Batch) -> Hits:
    of_box = b.box[2] * b.box[3]
    rows = np.flatnonzero((b.area >= b.limits["least_area"]) & (b.area < of_box * b.limits["area_under_box"]) & ~b.crowd)
    return hits(rows, b.area[rows], of_box[rows])


def zero_with_place(b: Batch) -> Hits:
    """v = 0 with coordinates inside the frame; beyond the frame they say where the point is."""
    placed = ((b.x != 0) | (b.y != 0)) & ~b.labelled
    rows = np.flatnonzero(placed.any(0))
    x, y, _ = b.take(rows)
    w, h = (side[rows] for side in b.frame)
    inside = (x >= -0.5) & (y >= -0.5) & (x <= w - 0.5) & (y <= h - 0.5)
    return _points(rows, placed[:, rows] & inside, x, y)


def minus_one(b: Batch) -> Hits:
    rows = np.flatnonzero(((b.x == -1) & (b.y == -1) & ~b.labelled).any(0))
    x, y, v = b.take(rows)
    return hits(rows, ((x == -1) & (y == -1) & (v == 0)).sum(0))


def seen_at_origin(b: Batch) -> Hits:
    x0, _, y0, _ = b.reach
    rows = np.flatnonzero((x0 <= 0) & (y0 <= 0))
    x, y, v = b.take(rows)
    return _points(rows, (x == 0) & (y == 0) & (v > 0), v)


def normalised(b: Batch) -> Hits:
    x0, x1, y0, y1 = b.reach
    sides = np.stack([np.where(np.isfinite(s), s, 0) for s in (*b.frame, *b.box[2:])]).max(0)
    rows = np.flatnonzero((b.count >= 3) & (x0 >= 0) & (y0 >= 0) & (x1 <= 1) & (y1 <= 1) & (x1 > 0) & (sides >= b.limits["normalised_frame"]))
    return hits(rows, x1[rows], y1[rows], sides[rows])


def exchanged_xy(b: Batch) -> Hits:
    """Points that leave their box, or without one their frame, and fit once x and y are exchanged."""
    off, _ = _off_box(b, 0.0)
    rows = np.flatnonzero((b.count >= 3) & ((off > b.limits["box_slack"]) | np.isnan(b.box[0])))
    rows = np.intersect1d(rows, np.union1d(_beyond(b, b.limits["frame_slack"]), np.flatnonzero(~np.isnan(b.box[0]))), assume_unique=True)
    x, y, v = b.take(rows)
    as_is, turned = (_share_inside(b, rows, p, q, v > 0) for p, q in ((x, y), (y, x)))
    odd = (as_is <= b.limits["exchanged_outside"]) & (turned >= b.limits["exchanged_inside"])
    return hits(rows[odd], 100 * as_is[odd], 100 * turned[odd])


def _share_inside(b: Batch, rows: NDArray[np.intp], x: Any, y: Any, seen: Mask) -> Any:
    bx, by, bw, bh = (c[rows] for c in b.box)
    w, h = (side[rows] for side in b.frame)
    boxed = ~np.isnan(bx)
    grow = 0.1 * np.maximum(bw, bh)
    low = np.where(boxed, bx - grow, 0), np.where(boxed, by - grow, 0)
    high = np.where(boxed, bx + bw + grow, w), np.where(boxed, by + bh + grow, h)
    inside = (x + 0.5 >= low[0]) & (x + 0.5 <= high[0]) & (y + 0.5 >= low[1]) & (y + 0.5 <= high[1])
    return (inside & seen).sum(0) / np.maximum(seen.sum(0), 1)


def collapsed(b: Batch) -> Hits:
    x0, x1, y0, y1 = b.reach
    with np.errstate(invalid="ignore"):
        span = np.maximum(x1 - x0, y1 - y0)
    frame = np.where(np.isfinite(b.frame[0]), np.minimum(*b.frame), np.inf)
    small = b.limits["collapsed_px"]
    rows = np.flatnonzero((b.count >= 3) & (span <= small) & ((frame > 16 * small) | ~np.isfinite(frame)) & ~(np.maximum(b.box[2], b.box[3]) <= 4 * small))
    return hits(rows, b.count[rows], span[rows])


# -- the set as a whole ------------------------------------------------------------------------------


def exchanged_size(s: Subject) -> Hits:
    """Images whose boxes and points leave the frame and all lie inside it once it is turned."""
    reach = np.full((len(s.ds.images), 2), -np.inf)
    for _, b in s.batches():
        x, y, w, h = b.box
        for axis, (end, most) in enumerate(((x + w, b.reach[1]), (y + h, b.reach[3]))):
            np.maximum.at(reach[:, axis], b.image, np.fmax(end, most + 0.5))
    size = np.stack([s.ds.images.width, s.ds.images.height], 1).astype(float)
    slack = s.limits["box_slack"]
    odd = (size > 0).all(1) & (reach > size + slack).any(1) & (reach <= size[:, ::-1] + slack).all(1)
    rows = np.flatnonzero(odd)
    return hits(rows, size[rows, 0], size[rows, 1], reach[rows, 0], reach[rows, 1])


def _share_of_set(s: Subject, found: Any, known: Any) -> Hits:
    """One hit for the set where nearly all rows that can tell are alike."""
    n, odd = int(known.sum()), int((found & known).sum())
    enough = n >= s.limits["enough_rows"] and odd >= s.limits["share_of_all"] * n
    return hits(np.zeros(int(enough), int), *([[v] for v in (odd, n)] if enough else [[], []]))


def area_is_box(s: Subject) -> Hits:
    own = s.ds.instances
    of_box = own.bbox[:, 2] * own.bbox[:, 3]
    with np.errstate(invalid="ignore"):
        return _share_of_set(s, np.abs(own.area - of_box) <= 1e-6 * of_box + 1e-6, np.isfinite(of_box) & np.isfinite(own.area))


def box_is_image(s: Subject) -> Hits:
    own = s.ds.instances
    size = np.stack([s.ds.images.width, s.ds.images.height], 1)[own.image]
    whole = (np.abs(own.bbox[:, :2]) <= 1).all(1) & (np.abs(own.bbox[:, 2:] - size) <= 1).all(1)
    return _share_of_set(s, whole, np.isfinite(own.bbox).all(1) & (size > 0).all(1))


def corner_boxes(s: Subject) -> Hits:
    """Boxes that fit their points as x1, y1, x2, y2 and not as x, y, w, h."""
    votes = np.zeros(2, int)
    for _, b in s.batches():
        _, x1, _, y1 = b.reach
        x, y, w, h = b.box
        with np.errstate(invalid="ignore"):
            tells = (b.count >= 3) & (x > 0.1 * w) & (y > 0.1 * h)
            corners = (w > x) & (h > y) & (np.abs(x1 - w) < np.abs(x1 - x - w)) & (np.abs(y1 - h) < np.abs(y1 - y - h))
        votes += int((tells & corners).sum()), int(tells.sum())
    odd = votes[1] >= s.limits["corners_enough"] and votes[0] >= s.limits["corners_share"] * votes[1]
    return hits(np.zeros(int(odd), int), *([[v] for v in votes.tolist()] if odd else [[], []]))


def area_off_mask(s: Subject) -> Hits:
    from .outlines import mask_areas

    rows, measured = mask_areas(s.ds)
    area = s.ds.instances.area[rows]
    odd = np.abs(area - measured) > s.limits["area_off_mask"] * measured + s.limits["area_off_mask_px"]
    return hits(rows[odd], area[odd], measured[odd])


def _none_of(s: Subject, known: Any) -> Hits:
    n = len(known)
    return hits(np.zeros(int(n > 0 and not known.any()), int), *([[n]] if n > 0 and not known.any() else [[]]))


def no_area(s: Subject) -> Hits:
    """Also of some rows: one scale for some and none for others is no set of one scale."""
    lacking = int((~np.isfinite(s.ds.instances.area)).sum())
    return hits(np.zeros(int(lacking > 0), int), *([[lacking], [len(s.ds)]] if lacking else [[], []]))


def no_box(s: Subject) -> Hits:
    return _none_of(s, np.isfinite(s.ds.instances.bbox).all(1))


def no_size(s: Subject) -> Hits:
    return _none_of(s, (s.ds.images.width > 0) & (s.ds.images.height > 0))


def _rule(
    code: str, name: str, severity: str, scope: str, table: str, key: str, find: Any, says: str, observed: str, expected: str, sentence: str, **more: Any
) -> Rule:
    return Rule(code=code, name=name, topic="geometry", severity=severity, scope=scope, table=table, key=key, find=find, says=says, observed=observed, expected=expected,
                sentence=sentence, **more)  # fmt: skip


_NOTES = "annotations"
GEOMETRY = (
    _rule("PD101", "box-outside-image", "warning", "rows", _NOTES, "bbox", box_outside_image, "box outside its image", "{0:g}, {1:g}, {2:g} x {3:g}", "the image is {4:g} x {5:g}",
          "A box ends far beyond the frame: crops hold mostly padding. Is it x1, y1, x2, y2, or is the image's size wrong?", thresholds=("box_far", "box_slack")),
    _rule("PD102", "box-past-edge", "note", "rows", _NOTES, "bbox", box_past_edge, "box past the edge of its image", "by {0:.1f} px", "clip it where the tool does not",
          "A box ends a little beyond the frame. Loaders that clip, and those that do not, crop differently.", thresholds=("box_far", "box_slack")),
    _rule("PD103", "empty-box", "error", "rows", _NOTES, "bbox", empty_box, "box without a size", "{0:g} x {1:g}", "width and height of a pixel at least",
          "Nothing can be cropped, no overlap computed; loaders drop such rows in silence.", thresholds=("least_box",)),
    _rule("PD104", "outside-image", "error", "rows", _NOTES, "keypoints", outside_image, "outside its image", "{0:g}, {1:g}", "the image is {2:g} x {3:g}",
          "A labelled point lies where there are no pixels. A point known to be out of sight has v = 0.",
          trap="CrowdPose val: 9 instances; TechNumber's cats: all 16 points of entry 137 near (1.99, 1.99) of the size.", traps=("crowdpose-misc", "akd"), thresholds=("frame_slack",)),
    _rule("PD105", "on-the-edge", "note", "rows", _NOTES, "keypoints", on_the_edge, "on the edge of its image", "{0:g}, {1:g}", "the image is {2:g} x {3:g}",
          "A point within a pixel beyond the frame: counted from 1, or clipped to the size.",
          trap="CMU's feet were clipped to 1..width (openpose_train, a_generateOfficialCOCOJson.m).", traps=("cmu-foot",), thresholds=("frame_slack",)),
    _rule("PD106", "nowhere", "error", "rows", _NOTES, "keypoints", nowhere, "pose wholly outside its image", "{0} labelled points from {1:g}, {2:g} on", "the image is {3:g} x {4:g}",
          "No labelled point is on the picture: the entry was never annotated, or belongs to another image.",
          trap="TechNumber's cats, entry 137 (post_5bf5e3643fe86.jpg).", traps=("akd",)),
    _rule("PD107", "outside-box", "note", "rows", _NOTES, "keypoints", outside_box, "points outside the box", "by {0:.1f} px", "crops that follow the box lose them",
          "Labelled points lie outside the box by more than a pixel. Common in people's sets; top-down crops grow boxes for it.",
          trap="COCO val2017: 280 annotations; Animal-Pose: 226; CrowdPose val: 2,195 instances.", traps=("coco", "animal-pose", "crowdpose-misc"), thresholds=("box_slack", "box_grown")),
    _rule("PD108", "far-outside-box", "warning", "rows", _NOTES, "keypoints", far_outside_box, "seen points far outside the box", "by {0:.1f} px", "the box is {1:g} x {2:g}",
          "Points that are seen (v = 2) lie further outside than a crop grows its box: box and pose are of different objects, or one is wrong. Hidden ones may lie there, where boxes hold what is seen.",
          trap="CrowdPose val: 454 instances reach beyond the box grown by a quarter.", traps=("crowdpose-misc",), thresholds=("box_grown", "box_slack")),
    _rule("PD109", "no-area-left", "error", "rows", _NOTES, "area", no_area_left, "area of nothing", "{0:g} px²", "one pixel at least",
          "OKS divides by the area: only an exact prediction would be found.", thresholds=("least_area",)),
    _rule("PD110", "area-over-box", "error", "rows", _NOTES, "area", area_over_box, "area larger than its box", "{0:g} px²", "the box has {1:g}",
          "An object cannot cover more than its box.", thresholds=("area_over_box",)),
    _rule("PD111", "area-under-box", "warning", "rows", _NOTES, "area", area_under_box, "area tiny for its box", "{0:g} px²", "the box has {1:g}",
          "A normalised area, or that of another object; crowds are left out.", thresholds=("area_under_box", "least_area")),
    _rule("PD112", "area-off-mask", "warning", "set", _NOTES, "area", area_off_mask, "area differs from its segmentation", "{0:g} px²", "the segmentation covers {1:g}",
          "COCO's area is that of the segmentation, and OKS scales by it.", thresholds=("area_off_mask", "area_off_mask_px")),
    _rule("PD113", "zero-with-place", "warning", "rows", _NOTES, "keypoints", zero_with_place, "not labelled, yet has a place", "v = 0 at {0:g}, {1:g}", "0, 0, 0, or v > 0",
          "v = 0 says not labelled: every tool drops the point, though somebody placed it inside the frame. (Beyond the frame it says where the body goes on.)",
          trap="Animal-Pose: 299 points in 113 annotations.", traps=("animal-pose",)),
    _rule("PD114", "minus-one", "note", "rows", _NOTES, "keypoints", minus_one, "unlabelled points at -1, -1", "{0} points", "0, 0, 0",
          "Boxes and extents made from all points reach to the corner.", trap="Animal Kingdom writes (-1, -1, 0) (sutdcv/Animal-Kingdom).", traps=("animal-kingdom",), fix="zeroed"),
    _rule("PD115", "seen-at-origin", "warning", "rows", _NOTES, "keypoints", seen_at_origin, "labelled at 0, 0", "v = {0:g}", "an unlabelled point has v = 0",
          "The corner of the picture is where unlabelled points are written; a label there is most likely none."),
    _rule("PD116", "normalised", "error", "rows", _NOTES, "keypoints", normalised, "coordinates look normalised", "all within {0:g}, {1:g}", "pixels of something {2:g} wide or high",
          "Shares of the image's size where pixels belong; OKS sees every body at the origin.",
          trap="TechNumber's own JSON is normalised; copied into COCO's form it must be multiplied.", traps=("akd",), thresholds=("normalised_frame",)),
    _rule("PD117", "exchanged-xy", "error", "rows", _NOTES, "keypoints", exchanged_xy, "x and y look exchanged", "{0:.0f} % of the points fit", "{1:.0f} % once exchanged",
          "Points leave their box (or frame) and fit it with x and y exchanged.",
          trap="TechNumber's README says (y, x, visibility); its numbers are x, y.", traps=("akd",), thresholds=("exchanged_inside", "exchanged_outside")),
    _rule("PD118", "exchanged-size", "error", "set", "images", "", exchanged_size, "width and height look exchanged", "{0:g} x {1:g}", "boxes and points reach to {2:g}, {3:g}",
          "What is on the image leaves its frame and fits it turned. --images gives the proof, and the fix.",
          trap="CrowdPose train and test until 2021-03-29 (Jeff-sjtu/CrowdPose issue #12).", traps=("crowdpose-size",), thresholds=("box_slack",)),
    _rule("PD119", "collapsed", "error", "rows", _NOTES, "keypoints", collapsed, "all points at one place", "{0} labelled points within {1:g} px", "a body has an extent",
          "A pose of one point: an annotation cut short, or coordinates that lost their scale.", thresholds=("collapsed_px",)),
    _rule("PD120", "corner-boxes", "error", "set", "", "", corner_boxes, "boxes look like corners", "{0} of {1} telling boxes fit as x1, y1, x2, y2", "x, y, width, height",
          "Read as x, y, width, height, such boxes reach far beyond their objects.", trap="Animal-Pose's bbox is x1, y1, x2, y2 (noahcao/animal-pose-dataset).",
          traps=("animal-pose",), thresholds=("corners_share", "corners_enough"), fix="corners-to-size"),
    _rule("PD121", "area-is-box", "note", "set", "", "", area_is_box, "area is that of the box", "{0:,} of {1:,} rows", "COCO's is that of the segment, about .53 of it",
          "OKS is kinder than on COCO by a scale of about 1.4, and small, medium and large are cut elsewhere.",
          trap="AP-10K and ATRW.", traps=("ap10k-area", "atrw"), thresholds=("share_of_all", "enough_rows")),
    _rule("PD122", "box-is-image", "note", "set", "", "", box_is_image, "boxes are whole images", "{0:,} of {1:,}", "a box says where the object is",
          "Area, size and PCK by box measure the picture instead of the animal.", trap="ATRW's pose files: 1,032 of 1,032.", traps=("atrw",), thresholds=("share_of_all", "enough_rows")),
    _rule("PD123", "no-area", "note", "set", "", "", no_area, "no area", "{0:,} of {1:,} rows have none", ".53 of the box is what CrowdPose's and xtcocotools' evaluators take",
          "OKS needs a scale: pycocotools stops with a KeyError, others assume.", trap="CrowdPose.", traps=("crowdpose-misc", "ap10k-area")),
    _rule("PD124", "no-box", "note", "set", "", "", no_box, "no boxes", "none of {0:,} rows has one", "top-down models need them",
          "Crops must be made from the points, which knows what a detector does not.", trap="TechNumber's cats.", traps=("akd",)),
    _rule("PD125", "no-size", "note", "set", "", "", no_size, "no image sizes", "none of {0:,} images has one", "width and height",
          "Whether points lie on their images cannot be told without the pictures.", trap="Animal-Pose.", traps=("animal-pose",)),
)  # fmt: skip
