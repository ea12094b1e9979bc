"""How a dataset introduces itself: a few lines in a terminal, a table and a picture in a notebook."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

import numpy as np

from .errors import brief, first_few

if TYPE_CHECKING:
    from .dataset import PoseDataset

__all__ = ["card", "facts", "html_card"]


def facts(ds: PoseDataset) -> dict[str, str]:
    """What the card says, line by line."""
    counts, own = ds.counts(), ds.instances
    per_image = np.bincount(own.image, minlength=len(ds.images))
    possible = int(own.annotated.sum())
    lines = {
        "schema": f"{ds.schema.name}: {len(ds.schema)} keypoints, {ds.schema.sigma_note()}",
        "images": f"{len(ds.images):,}"
        + (f", {counts['images without instances']:,} without instances" if counts["images without instances"] else "")
        + _sizes(ds),
        "instances": f"{len(ds):,}"
        + (f", {counts['crowds']:,} of them crowds" if counts["crowds"] else "")
        + (f", up to {per_image.max()} on an image" if len(ds) else ""),
        "points": f"{counts['labelled points']:,} of {possible:,} labelled, {counts['hidden points']:,} hidden, {counts['points outside their frame']:,} outside their frame"
        if possible
        else "none",
        "categories": _tally(ds.category_names, len(ds.categories)),
    }
    if len(ds) and not np.isfinite(own.area).all():
        lines["area"] = f"unknown for {int(np.isnan(own.area).sum()):,} instances"
    columns = first_few([*own.meta, *ds.images.meta], 8, ", ")
    if columns:
        lines["columns"] = columns
    if ds.provenance.steps:
        lines["made by"] = first_few(ds.provenance.steps, 3)
    return lines


def _sizes(ds: PoseDataset) -> str:
    known = ds.images.width[(ds.images.width > 0) & (ds.images.height > 0)]
    return f", {known.min()} to {known.max()} pixels wide" if len(known) else ", sizes unknown"


def _tally(names: np.ndarray, known: int) -> str:
    values, counts = np.unique(names.astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    named = first_few([f"{brief(str(values[i]), 30)} {counts[i]:,}" for i in order], 6, ", ") or "none"
    return named + (f" ({known - len(values)} more without instances)" if known > len(values) else "")


def card(ds: PoseDataset) -> str:
    """Name, then a line for each fact."""
    lines = facts(ds)
    wide = max(map(len, lines))
    return "\n".join([f"PoseDataset {ds.name}", *(f"  {name:<{wide}}  {text}" for name, text in lines.items())])


def html_card(ds: PoseDataset) -> str:
    """The same as a table, beside a few pictures, or the schema's where no picture can be opened. All text is escaped."""
    rows = "".join(f"<tr><th style='text-align:left'>{html.escape(k)}</th><td style='text-align:left'>{html.escape(v)}</td></tr>" for k, v in facts(ds).items())
    return f"<div><b>{html.escape(ds.name)}</b><table>{rows}</table>{_picture(ds)}</div>"


def _picture(ds: PoseDataset) -> str:
    from .images import contact_sheet, draw_schema  # the room of Pillow

    showable = len(ds.images) and (ds.images.folder != "").any()
    if not showable and not len(ds.schema):
        return ""
    drawn = contact_sheet(ds, 6) if showable else draw_schema(ds.schema)
    out = io.BytesIO()
    drawn.save(out, "PNG")
    words = f"six images of {ds.name} with their poses" if showable else f"the points of {ds.schema.name}"
    return f"<img alt='{html.escape(words, quote=True)}' src='data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}'>"
