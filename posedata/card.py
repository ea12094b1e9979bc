"""How a dataset introduces itself."""

from __future__ import annotations


def card(ds):
    return f"{ds.name}: {len(ds)} instances on {len(ds.images)} images, {ds.schema!r}; {ds.schema.sigma_note()}"
