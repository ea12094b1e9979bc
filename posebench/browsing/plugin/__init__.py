"""The panel Pose errors: bars of errors by keypoint and kind, and a click that shows them. It needs FiftyOne alone, for it is copied to its plugins."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone import ViewField as F
from fiftyone.operators import types

COLOURS = {
    "jitter": "#f2b134",
    "inversion": "#d1495b",
    "swap": "#8d5a97",
    "miss": "#30638e",
    "absent": "#8a8d91",
    "confusion": "#4f9d69",
    "surplus": "#00798c",
}


class PoseErrors(foo.Panel):  # type: ignore[misc]
    """One model at a time; all of the dataset, whatever the view."""

    @property
    def config(self) -> Any:
        return foo.PanelConfig(name="pose_errors", label="Pose errors", icon="accessibility_new", allow_multiple=True)

    def on_load(self, ctx: Any) -> None:
        models = self._models(ctx)
        ctx.panel.set_state("model", ctx.panel.get_state("model") or next(iter(models), None))
        self._draw(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        ctx.panel.set_state("model", next(iter(self._models(ctx)), None))
        self._draw(ctx)

    def on_model(self, ctx: Any) -> None:
        ctx.panel.set_state("model", ctx.params["value"])
        self._draw(ctx)

    def on_bar(self, ctx: Any) -> None:
        """The poses in which this keypoint has this error."""
        model = ctx.panel.get_state("model")
        said = self._models(ctx).get(model)
        kinds = list(said["bars"]) if said else []
        kind, keypoint = ctx.params.get("trace"), ctx.params.get("y")
        if said and kind in kinds and keypoint in said["keypoints"]:
            ctx.ops.set_view(error_view(ctx.dataset, model, said["keypoints"].index(keypoint), kind))

    def on_all(self, ctx: Any) -> None:
        ctx.ops.clear_view()

    def _models(self, ctx: Any) -> dict[str, Any]:
        words = (ctx.dataset.info or {}).get("posebench") if ctx.dataset is not None else None
        fields = words.get("fields", {}) if isinstance(words, dict) else {}
        return {name: said for name, said in fields.items() if said.get("of") == "predictions" and said.get("bars") is not None}

    def _draw(self, ctx: Any) -> None:
        said = self._models(ctx).get(ctx.panel.get_state("model"))
        bars = [
            {"type": "bar", "orientation": "h", "name": kind, "y": list(n), "x": list(n.values()), "marker": {"color": COLOURS.get(kind, "#666666")}}
            for kind, n in (said or {}).get("bars", {}).items()
        ]
        ctx.panel.set_data("bars", bars)

    def render(self, ctx: Any) -> Any:
        panel = types.Object()
        models = self._models(ctx)
        if not models:
            panel.md("This dataset holds no errors: `posebench browse preds.json` writes them.", name="nothing")
            return types.Property(panel, view=types.GridView(align_x="center", orientation="vertical"))
        model = ctx.panel.get_state("model")
        said = models.get(model) or next(iter(models.values()))
        if len(models) > 1:
            panel.enum("model", list(models), label="Model", default=model, view=types.AutocompleteView(), on_change=self.on_model)
        panel.md(f"**{model}**: {said.get('text', '')}  \nA click on a bar shows these poses.", name="words")
        panel.btn("all", label="Show all", on_click=self.on_all)
        layout = {
            "barmode": "stack",
            "showlegend": True,
            "legend": {"traceorder": "normal"},
            "xaxis": {"title": {"text": "points"}},
            "yaxis": {"autorange": "reversed", "dtick": 1, "automargin": True},
            "margin": {"l": 10, "r": 10, "b": 40, "t": 10},
        }
        panel.plot("bars", layout=layout, config={"displayModeBar": False}, on_click=self.on_bar, height=f"{140 + 24 * len(said['keypoints'])}px", width="100%")
        return types.Property(panel, view=types.ObjectView(padding=2))


def error_view(dataset: Any, model: str, keypoint: int, kind: str) -> Any:
    """The poses of a model whose keypoint, by its number, has this error."""
    return dataset.filter_labels(model, F("error")[keypoint] == kind)


def register(plugin: Any) -> None:
    plugin.register(PoseErrors)
