"""Writes what is generated in the docs: the command page, the schemas' tables and pictures, the header's fields."""

from __future__ import annotations

import dataclasses
import re
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from baselines.listing import published_of
from baselines.recipes import GROUPS, RECIPES, Recipe
from posebench.distances import DISTANCE_METRICS, NME_NORMS, NORMS, PCK_RULES
from posebench.distances.norms import norm_text
from posebench.labels import KINDS as LABEL_ERRORS
from posebench.orders import ORDERS
from posebench.postprocess import RESCORES, TIES
from posebench.protocol import ABSENT, IGNORED, INTERPOLATIONS, PREDICTION_AREAS, TRUTH_AREAS, Protocol
from posebench.protocols import PROTOCOLS
from posebench.slices import SLICES
from posebench.statistics.changes import KINDS as CHANGES
from posebench.statistics.grids import DECODES
from posebench.statistics.interval import FEW
from posebench.statistics.interval import METHODS as INTERVAL_METHODS
from posebench.statistics.passing import tail
from posebench.submission import CHECKS
from posebench.suspicions import SUSPICIONS
from posedata.catalog import Entry, checksum_text, entry, list_datasets, source_text
from posedata.formats.results_npz import ALIASES
from posedata.images import draw_schema, save_picture
from posedata.lookalikes.finding import LIMITS
from posedata.lookalikes.found import KINDS as LIKENESSES
from posedata.mapping import KINDS
from posedata.merging.copies import POLICIES
from posedata.merging.losses import CHANGED, LOST
from posedata.merging.points import SIGMA_RULES
from posedata.predictions import HEADER_FIELDS
from posedata.profiling.measuring import MEANINGS
from posedata.schema import SIGMA_SOURCES, Schema
from posedata.schemas import SCHEMAS
from posedata.splitting.assign import RULES as SPLIT_RULES
from posedata.splitting.units import KEYS, OF
from posedata.validation.findings import SEVERITIES
from posedata.validation.fixes import FIXES
from posedata.validation.rules import RULES, TOPICS
from posedata.validation.thresholds import thresholds
from posedata.validation.traps import TRAPS

from .measured import ablation_parts

if TYPE_CHECKING:
    from PIL.Image import Image

DOCS = Path(__file__).parent


def pages() -> dict[str, dict[str, str]]:
    """For each page, the text of its generated parts by name."""
    return {
        "cli.md": {"commands": commands()},
        "ablations.md": ablation_parts(),
        "training.md": {"recipes": recipe_rows(), "published": published_rows(), "settings": setting_rows()},
        "schemas.md": {"schemas": "\n".join(map(schema_section, drawn())), "sources": table(SIGMA_SOURCES), "kinds": table(KINDS)},
        "formats.md": {"header": table(HEADER_FIELDS), "arrays": table({k: ", ".join(f"`{n}`" for n in v) for k, v in ALIASES.items()})},
        "leaderboard.md": leaderboard_parts(),
        "protocols.md": {"fields": field_rows(), "presets": "\n".join(map(preset, PROTOCOLS.values()))},
        "metrics.md": {
            "slices": table({name: kind.summary for name, kind in SLICES.items()}),
            "distances": distance_rows(),
            "pck": pck_rows(),
            "pck-notes": pck_notes(),
            "norms": table({n: norm.text for n, norm in NORMS.items()}),
            "nme": nme_rows(),
        },
        "warnings.md": {
            "suspicions": table({s.name: _plain(s.sentence) for s in SUSPICIONS.values()}),
            "orders": order_rows(),
            "checks": table({name: text for name, (text, _) in CHECKS.items()}),
            "rescores": table({name: text for name, (text, _) in RESCORES.items()}),
            "ties": table(dict(TIES)),
        },
        "validation.md": {
            "severities": table(SEVERITIES),
            "topics": table(TOPICS),
            "rules": rule_sections(),
            "fixes": table({name: fix.text + (" (only when named)" if fix.asked else "") for name, fix in FIXES.items()}),
            "thresholds": "\n".join(f"| `{name}` | {t.value:,g} | {t.unit} | {t.why} |" for name, t in thresholds().items()),
            "traps": "\n".join(f"| {name} | {text} | {', '.join(r.code for r in RULES.values() if name in r.traps)} |" for name, text in TRAPS.items()),
        },
        "merging.md": {
            "sigmas": table({name: text for name, (text, _) in SIGMA_RULES.items()}),
            "policies": table({name: text for name, (text, _) in POLICIES.items()}),
            "lost": table(LOST),
            "changed": table(CHANGED),
        },
        "splitting.md": {"of": table(OF), "rules": table(SPLIT_RULES), "keys": table(KEYS)},
        "duplicates.md": {"kinds": table(LIKENESSES), "limits": "\n".join(f"| `{name}` | {value:g} | {text} |" for name, (value, text) in LIMITS.items())},
        "profile.md": {"columns": table(MEANINGS)},
        "statistics.md": {
            "methods": table(dict(INTERVAL_METHODS)),
            "few": "\n".join(["| method | images with truths |", "|---|---|", *(f"| `{name}` | {few} |" for name, few in FEW.items())]),
        },
        "labels.md": {"kinds": table(dict(LABEL_ERRORS))},
        "robustness.md": {"kinds": table({name: text for name, (text, _) in CHANGES.items()}), "law": law_rows(), "decodes": table(dict(DECODES))},
        "datasets.md": {"cards": "\n".join(map(dataset_card, list_datasets()))},
        "../README.md": {"datasets": dataset_table()},
    }


def recipe_rows() -> str:
    """A row for each recipe."""
    rows = ["| recipe | backbone | head | input | schedule | published |", "|---|---|---|---|---|---|"]
    for r in RECIPES.values():
        told = ", ".join(f"{key} {100 * row['metrics'][key]:.1f}" for row in published_of(r) for key in ["AP"] if key in row["metrics"]) or "-"
        how = f"{r.optimiser} {r.lr:g}, {r.epochs} epochs of {r.batch}, {r.schedule}"
        rows.append(f"| `{r.name}` | `{r.backbone}` | {r.head} | {r.width} x {r.height} | {how} | {told} |")
    return "\n".join(rows)


def published_rows() -> str:
    """Every published row that a recipe names: numbers, rules, source."""
    rows = ["| recipe | published AP | on | boxes | flip test | scored by | how it was learned | source |", "|---|---|---|---|---|---|---|---|"]
    for r in RECIPES.values():
        for row in published_of(r):
            flip = {True: "yes", False: "no", None: "not said"}[row["flip_test"]]
            cells = (
                f"`{r.name}`",
                f"{100 * row['metrics']['AP']:.1f}",
                f"{row['dataset']} {row['split']}",
                row["boxes"],
                flip,
                row["evaluator"],
                row["recipe"],
                row["source"],
            )
            rows.append("| " + " | ".join(str(c or "not said") for c in cells) + " |")
    return "\n".join(rows)


def setting_rows() -> str:
    """Every field of a recipe, by group."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    values = Recipe().to_dict()
    for group, title in GROUPS.items():
        rows.append(f"| **{title}** | | |")
        for f in (f for f in dataclasses.fields(Recipe) if f.metadata["group"] == group):
            choice = f" ({', '.join(f.metadata['of'])})" if f.metadata["of"] else ""
            rows.append(f"| `{f.name}` | `{values[f.name]}` | {f.metadata['what']}{choice} |")
    return "\n".join(rows)


def drawn() -> list[Schema]:
    """Schemas that have a picture; sigma variants share their base's."""
    return [s for s in SCHEMAS.values() if len(s) and not s.name.endswith("_062")]


def table(rows: dict[str, str]) -> str:
    return "\n".join(f"| `{name}` | {text} |" for name, text in rows.items())


def field_rows() -> str:
    """Every field of a protocol, with its words and what they mean."""
    words: dict[str, object] = {
        "thresholds": "similarities at which a pose counts as found; AP and AR are means over them",
        "max_preds": "predictions of an image and category that are looked at, best scores first",
        "truth_area": TRUTH_AREAS,
        "prediction_area": PREDICTION_AREAS,
        "ignored": IGNORED,
        "absent": ABSENT,
        "ranges": "name = [from, to] in pixels squared, both ends included; matching is redone",
        "levels": "name = [from, to) of `level_column`; only these images count",
        "level_column": "a column of the images",
        "parts": "name = { points, ignored, valid, score, drop_silent }: some points, scored as if there were no others",
        "per_category": "match within categories and average over those that have truths; or make them one",
        "interpolation": INTERPOLATIONS,
        "sigmas": "by keypoint, or by category and keypoint; the schema's where nothing is said",
    }
    return "\n".join(f"| `{name}` | {text if isinstance(text, str) else '<br>'.join(f'`{k}`: {v}' for k, v in text.items())} |" for name, text in words.items())


def preset(p: Protocol) -> str:
    """A protocol as it prints, its notes and its sources."""
    sources = [f"* {name}: {source}" for name, source in p.sources.items()]
    return "\n".join([f"### {p.name}", "", "```text", str(p), "```", "", *[f"* {n}" for n in p.notes], "", "Sources:", "", *sources, ""])


def _plain(template: str) -> str:
    """A sentence with dots where its figures go."""
    return re.sub(r"\{[^}]*\}", "...", template)


def rule_sections() -> str:
    """Every rule under its topic: what it says, with a finding of the test's own case."""
    lines = []
    for topic in TOPICS:
        lines += [f"### {topic.capitalize()}", ""]
        for r in RULES.values():
            if r.topic == topic:
                lines += [f"**{r.code} {r.name}** ({r.severity}): {r.says}", "", r.sentence, "", "```text", example(r.name), "```", ""]
                known = {"known from": r.trap, "thresholds": ", ".join(f"`{t}`" for t in r.thresholds), "fix": f"`{r.fix}`" if r.fix else ""}
                lines += [*(f"* {name}: {text}" for name, text in known.items() if text), ""]
    return "\n".join(lines)


@cache
def example(rule: str) -> str:
    """The first finding of a rule on the small case its test is made of."""
    from tests.validation_cases import CASES, looked

    with tempfile.TemporaryDirectory() as folder:
        made = CASES[rule][0]()
        return str(next(f for f in looked(made, Path(folder), rules=rule) if f.rule == rule))


def order_rows() -> str:
    return "\n".join(f"| `{schema}` | {name} | {', '.join(points)} |" for schema, orders in ORDERS.items() for name, points in orders.items())


def law_rows() -> str:
    """The share of perfect poses that pass, by number of points and convention of sigmas."""

    def cells(points: int, power: float, thresholds: tuple[float, ...]) -> list[str]:
        shares = [100 * float(p) for p in tail(np.full(points, power), thresholds)]
        return [f"{p:.1f}%" if p >= 0.05 else f"{p:.2f}%" if p >= 0.005 else "<0.01%" for p in shares]

    rows = [[str(n), *cells(n, 1 / 8, (0.5, 0.75, 0.9, 0.95)), *cells(n, 1 / 2, (0.5, 0.75, 0.9))] for n in (1, 3, 6, 10, 17, 23)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def schema_section(s: Schema) -> str:
    lines = [f"### {s.name}", "", f"![the {len(s)} points of {s.name}](img/{s.name}.png)", "", f"Source: {s.source}."]
    if s.asymmetry:
        lines.append(f"Left and right differ: {s.asymmetry}.")
    lines += ["", "| | keypoint | sigma | origin | mirror | meaning |", "|---|---|---|---|---|---|"]
    for row, k in enumerate(s.keypoints):
        mirror = s.names[s.mirror[row]] if s.mirror[row] != row else ""
        lines.append(f"| {row} | {k.name} | {k.sigma:g} | {k.sigma_source} | {mirror} | {k.definition} |")
    return "\n".join([*lines, ""])


def dataset_table() -> str:
    rows = ["| name | what | schema | splits | licence |", "|---|---|---|---|---|"]
    for name in list_datasets():
        known = entry(name)
        splits = "; ".join(f"{config}: {', '.join(parts)}" if len(known.splits) > 1 else ", ".join(parts) for config, parts in known.splits.items())
        rows.append(f"| [`{name}`](docs/datasets.md#{name}) | {known.title} | {known.schema} | {splits} | {known.licence} |")
    return "\n".join(rows)


def dataset_card(name: str) -> str:
    known = entry(name)
    lines = [f"### {name}", "", f"{known.title}. `posedata.load_dataset({name!r}, ...)`", ""]
    lines += [f"![the points of {s}](img/{s}.png)\n" for s in [known.schema] if s in SCHEMAS]
    lines += [f"* **schema** {known.schema}" + (f"; sigmas: {known.sigmas}" if known.sigmas else ""), f"* **protocol** {known.protocol}"]
    lines += [
        f"* **licence** {known.licence}",
        *([f"* **cite** {known.citation}"] if known.citation else []),
        *([f"* **home** {known.homepage}"] if known.homepage else []),
    ]
    lines += [f"* **to get it** {source_text(s)}{checksum_text(s)}" for s in known.sources]
    lines += [f"* {note}" for note in known.notes]
    return "\n".join([*lines, "", *split_rows(known), *fault_rows(known), ""])


def split_rows(known: Entry) -> list[str]:
    rows = ["| config | split | images | instances | files, as first looked for |", "|---|---|---|---|---|"]
    for config, parts in known.splits.items():
        for split, part in parts.items():
            images, instances = (f"{n:,}" for n in known.counts[f"{config}/{split}"]) if f"{config}/{split}" in known.counts else ("", "")
            files = ", ".join(f"`{known.folders[0]}/{names[0]}`" for names in part.files) or "drawn or named by you"
            rows.append(f"| {config} | {split} | {images} | {instances} | {files} |")
    return rows


def fault_rows(known: Entry) -> list[str]:
    if not known.faults:
        return []
    return [
        "",
        "| known fault | what it is | what is done |",
        "|---|---|---|",
        *(f"| {f.name} | {f.text} | {f.done} |" for f in known.faults),
    ]


def distance_rows() -> str:
    rows = ["| name | formula | unit | behind the @ | source |", "|---|---|---|---|---|"]
    return "\n".join([*rows, *(f"| `{name}` | {m.formula} | {m.unit} | {m.number or 'nothing'} | {m.source} |" for name, m in DISTANCE_METRICS.items())])


def pck_rows() -> str:
    """The seven choices of every rule, one row each."""
    choices = list(next(iter(PCK_RULES.values())).choices())
    rows = [f"| rule | {' | '.join(choices)} |", "|---" * (len(choices) + 1) + "|"]
    return "\n".join([*rows, *(f"| `{name}` | {' | '.join(rule.choices().values())} |" for name, rule in PCK_RULES.items())])


def pck_notes() -> str:
    return "\n".join(f"* `{name}`: {rule.summary} Source: {rule.source}." for name, rule in PCK_RULES.items())


def nme_rows() -> str:
    return table({f"NME.{name}": norm_text(n) if isinstance(n, str) else f"points {n[0]} and {n[1]}" for name, n in NME_NORMS.items()})


def leaderboard_parts() -> dict[str, str]:
    """The board, what its fields and boxes are, and the speeds that were measured."""
    from baselines.board.pages import as_markdown
    from baselines.board.rows import FIELDS, read_board
    from baselines.boxes import BOXES
    from baselines.speeds import read_speeds, speed_table

    board = read_board()
    sections = as_markdown(replace(board, published=())), as_markdown(replace(board, computed=()))
    computed, published = (re.sub(r"^##", "###", text, flags=re.MULTILINE) for text in sections)
    measured = read_speeds(DOCS.parent / "benchmarks" / "gpu" / "benchmark.json")
    known = {row["recipe"] for row in measured}
    counted = [row for row in read_speeds(DOCS.parent / "benchmarks" / "floors.json") if row["recipe"] not in known]
    return {
        "computed": computed or "No run has been added yet.\n",
        "published": published,
        "fields": table(FIELDS),
        "boxes": table(BOXES),
        "speeds": speed_table([*measured, *counted]),
    }


def commands() -> str:
    """Every command's --help, as a terminal of 100 columns shows it."""
    from baselines.cli import app as baselines
    from posebench.cli import app as posebench
    from posedata.cli import app as posedata

    groups = (("posedata", posedata), ("posebench", posebench), ("baselines", baselines))
    return "\n".join(part for name, group in groups for part in help_blocks(name, name, group, None))


def help_blocks(title: str, name: str, command: click.Command, parent: click.Context | None) -> list[str]:
    """The help of a command, and of those in it."""
    inside = sorted(command.commands) if isinstance(command, click.Group) else []
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100, **({"help_option_names": ["-h", "--help"]} if parent is None else {}))
    own = [help_block(title, command, context)]
    return own + [part for verb in inside for part in help_blocks(f"{title} {verb}", verb, command.commands[verb], context)]  # type: ignore[attr-defined]


def help_block(title: str, command: click.Command, context: click.Context) -> str:
    return f"## {title}\n\n```text\n{command.get_help(context)}\n```\n"


def filled(text: str, parts: dict[str, str]) -> str:
    """The page with its generated parts replaced."""
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"no place for {name!r}")
        text = pattern.sub(lambda m, part=part: f"{m[1]}{part.rstrip()}\n{m[2]}", text)
    return text


def main() -> None:
    for page, parts in pages().items():
        path = DOCS / page
        path.write_text(filled(path.read_text(), parts))
    for schema in drawn():
        save_picture(draw_schema(schema), DOCS / "img" / f"{schema.name}.png")
    sheets()
    errors()
    robustness()
    comparisons()


def errors() -> None:
    """The pictures of the page on errors: the demo's, on its own predictions."""
    from posebench import plots
    from posebench.demo import CONFIG, SCENES, SPLIT, planted
    from posebench.evaluation import evaluate
    from posedata.synthetic.build import synthesize

    truth = synthesize(CONFIG, SPLIT, SCENES)
    report = evaluate(truth, planted(truth)).errors()
    figures = {
        "labels": plots.label_drawings(SCHEMAS["coco17"], "left_wrist"),
        "shares": plots.error_shares(report),
        "cost": plots.cost_waterfall(report),
        "skeleton": plots.skeleton(report),
        "confusion": plots.confusion(report),
    }
    for name, figure in figures.items():
        plots.save(figure, DOCS / "img" / f"errors-{name}.png")


def robustness() -> None:
    """The picture of the page on robustness: a ceiling of the demo's set, with a model beside it."""
    from posebench import ceiling, evaluate, plots
    from posebench.simulate import simulate
    from posedata.synthetic.build import synthesize

    truth = synthesize("person", "val", 192)
    made = ceiling(evaluate(truth, simulate(truth, jitter=0.02, miss=0.14, seed=1).pred))
    plots.save(plots.ceiling_by_threshold(made), DOCS / "img" / "robustness-ceiling.png")


def comparisons() -> None:
    """The pictures of the page on comparing: four simulated models."""
    from posebench import compare, evaluate, plots, rank
    from posebench.simulate import simulate
    from posedata.synthetic.build import synthesize

    truth = synthesize("person", "val", 128)
    shares = {"hrnet": (0.1, 0.08), "vit": (0.08, 0.06), "simple": (0.16, 0.08), "vit again": (0.08, 0.06)}
    found = {name: simulate(truth, miss=miss, swap=swap, seed=seed).pred for seed, (name, (miss, swap)) in enumerate(shares.items(), 1)}
    a, b = (evaluate(truth, found[name]) for name in ("hrnet", "vit"))
    plots.save(plots.differences(compare(a, b, names=("hrnet", "vit"), metrics=["AP", "PCK@0.1"], by="instances")), DOCS / "img" / "compare.png")
    plots.save(plots.rank_distribution(rank(found, truth)), DOCS / "img" / "ranks.png")


def sheets() -> None:
    """The pictures of the README."""
    from posedata.images import contact_sheet
    from posedata.synthetic.build import synthesize

    for config in ("quadruped", "person"):
        save_picture(contact_sheet(synthesize(config, "train", 192), 18), DOCS / "img" / f"synthetic-{config}.jpg")
    save_picture(suspects(), DOCS / "img" / "labels.jpg")


def suspects() -> Image:
    """The first of a few planted label errors."""
    from posebench import PLANTED, evaluate, label_errors, plant_label_errors
    from posebench.simulate import simulate
    from posedata.synthetic.build import synthesize

    clean = synthesize("person", "val", 128)
    planted = plant_label_errors(clean, dict.fromkeys(PLANTED, 1), seed=6)
    pred = simulate(clean, jitter=0.1, miss=0.02, swap=0.005, inversion=0.005, seed=2).pred
    return label_errors(evaluate(planted.truth, pred)).sheet(6)


if __name__ == "__main__":
    sys.exit(main())
