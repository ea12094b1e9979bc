"""Fixes by name: what is provably wrong in a file is mended in a copy, every change is logged, and the log undoes it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..errors import FormatError, PoseError, brief, did_you_mean
from ..files import write_bytes
from ..formats.coco import parse_coco
from ..formats.tolerant import listed_members, plain_document
from .findings import Finding
from .report import Report

__all__ = ["FIXES", "Change", "Fix", "fix_file", "undo_fixes"]

Steps = tuple[str | int, ...]
Memo = dict[str, Any]
"""What one application of a fix need not find out for every finding anew."""


@dataclass(frozen=True)
class Change:
    """One change of a file: at `path`, `before` became `after`; `op` is set, add, remove or rename."""

    fix: str
    code: str
    op: str
    path: Steps
    before: Any = None
    after: Any = None

    def to_line(self) -> str:
        """A line of the log."""
        where = "$" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.path)
        return json.dumps({"at": where, **self.__dict__}, ensure_ascii=False)


@dataclass(frozen=True)
class Fix:
    """A way to mend what one or more rules find."""

    text: str
    make: Callable[[Any, Finding, dict[str, Any]], Iterable[Change]]
    asked: bool = False
    """Only when asked for by name: it moves published numbers."""


# -- what each fix does ------------------------------------------------------------------------------


def _steps(path: str) -> Steps:
    """`$.annotations[3].bbox` as its steps."""
    return tuple(int(i) if i else key for i, key in re.findall(r"\[(\d+)\]|\.([^.\[\]]+)", path))


def _at(document: Any, steps: Steps) -> Any:
    for step in steps:
        document = document[step]
    return document


def _set(name: str, document: Any, f: Finding, steps: Steps, after: Any) -> Iterator[Change]:
    """Another value at a place; nothing where it is that already."""
    before = _at(document, steps)
    if type(before) is not type(after) or before != after:
        yield Change(name, f.code, "set", steps, copy.deepcopy(before), after)


def listed_table(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    table = _at(document, _steps(f.path))
    if isinstance(table, dict):
        single = "id" in table or "name" in table
        after = [copy.deepcopy(table)] if single else listed_members(str(_steps(f.path)[-1]), copy.deepcopy(table))
        yield from _set("listed-table", document, f, _steps(f.path), after)


def numbered_id(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    """Annotations only, and their own id only: nothing refers to it."""
    steps = _steps(f.path)
    if steps[0] == "annotations" and steps[-1] == "id" and "id" not in _at(document, steps[:-1]):
        if "largest" not in memo:
            memo["largest"] = int(max((a["id"] for a in document["annotations"] if type(a.get("id")) in (int, float)), default=0))
        memo["largest"] += 1
        yield Change("numbered-id", f.code, "add", steps, None, memo["largest"])


def one_kind_of_id(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    """References spelled as the ids they name are; a table's ids are left alone."""
    steps = _steps(f.path)
    table = {"image_id": "images", "category_id": "categories"}.get(str(steps[-1]), "")
    spelled = {str(row.get("id")): row.get("id") for row in document.get(table, ())} if table else {}
    for i, row in enumerate(document["annotations"] if table else ()):
        if str(row.get(steps[-1])) in spelled:
            yield from _set("one-kind-of-id", document, f, ("annotations", i, str(steps[-1])), spelled[str(row[steps[-1]])])


def own_skeleton(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    """Counted from 1; the schema's own limbs where it is another set's, and none where we know no schema."""
    steps = _steps(f.path)
    category = _at(document, steps[:-1])
    if f.code == "PD012":
        yield from _set("own-skeleton", document, f, steps, [[n + 1 for n in link] for link in category["skeleton"]])
        return
    try:
        alone = {k: v for k, v in category.items() if k != "skeleton"}
        ds = parse_coco(msgspec.json.encode({"images": [], "annotations": [], "categories": [alone]}))
    except PoseError:
        yield from _set("own-skeleton", document, f, steps, [])
        return
    points = ds.categories[0].points
    yield from _set("own-skeleton", document, f, steps, [[points.index(a) + 1, points.index(b) + 1] for a, b in ds.schema.limbs if a in points and b in points])


def whole_id(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    value = _at(document, _steps(f.path))
    if isinstance(value, float) and value.is_integer():
        yield from _set("whole-id", document, f, _steps(f.path), int(value))


def nested_polygon(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    flat = _at(document, _steps(f.path))
    yield from _set("nested-polygon", document, f, _steps(f.path), flat if isinstance(flat[0], list) else [flat])


def file_name_key(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    yield Change("file-name-key", f.code, "rename", _steps(f.path), "filename", "file_name")


def trimmed_name(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    yield from _set("trimmed-name", document, f, _steps(f.path), _at(document, _steps(f.path)).strip())


def once(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    """Only what repeats an earlier entry in every value, its id alone apart."""
    table, row = _steps(f.path)[:2]
    if table not in memo:
        memo[str(table)] = {}
        for i, entry in enumerate(document[table]):
            memo[str(table)].setdefault(_spelled(entry, str(table)), i)
    if memo[str(table)][_spelled(document[table][row], str(table))] < int(row):
        yield Change("once", f.code, "remove", (table, row), copy.deepcopy(document[table][row]))


def _spelled(entry: Any, table: str) -> bytes:
    """All that an entry says, an annotation's id apart."""
    return msgspec.json.encode({k: v for k, v in entry.items() if k != "id"} if table == "annotations" else entry, order="deterministic")


def dated(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    text = _at(document, _steps(f.path))
    yield from _set("dated", document, f, _steps(f.path), re.sub(r"^(\d{4}-\d{2}-\d{2})(\d{2}:)", r"\1 \2", text))


def zeroed(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    points = _at(document, _steps(f.path))
    triples = [points[i : i + 3] for i in range(0, len(points), 3)]
    yield from _set("zeroed", document, f, _steps(f.path), [n for t in triples for n in ([0, 0, 0] if t == [-1, -1, 0] else t)])


def corners_to_size(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    """All boxes of the file, for it is the file that holds corners."""
    for i, row in enumerate(document["annotations"]):
        box = row.get("bbox")
        if isinstance(box, list) and len(box) == 4 and box[2] >= box[0] and box[3] >= box[1]:
            yield from _set("corners-to-size", document, f, ("annotations", i, "bbox"), [box[0], box[1], box[2] - box[0], box[3] - box[1]])


def turned_size(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    steps = _steps(f.path)
    row = _at(document, steps)
    width, height = row["height"], row["width"]
    yield from _set("turned-size", document, f, (*steps, "width"), width)
    yield from _set("turned-size", document, f, (*steps, "height"), height)


def recount(document: Any, f: Finding, memo: Memo) -> Iterator[Change]:
    row = _at(document, _steps(f.path)[:2])
    yield from _set("recount", document, f, _steps(f.path), sum(v > 0 for v in row["keypoints"][2::3]))


FIXES: Mapping[str, Fix] = {
    "listed-table": Fix("`categories` or `images` as the list it should be", listed_table),
    "file-name-key": Fix("`filename` renamed `file_name`", file_name_key),
    "one-kind-of-id": Fix('references spelled as the ids they name: "12" becomes 12 where the image is 12', one_kind_of_id),
    "numbered-id": Fix("annotations without an id get one, numbered on", numbered_id),
    "whole-id": Fix("1.731118E+6 written 1731118", whole_id),
    "nested-polygon": Fix("a flat polygon put into a list", nested_polygon),
    "trimmed-name": Fix("blanks at the ends of names cut off", trimmed_name),
    "own-skeleton": Fix("a skeleton that counts from 0 counted from 1; that of another set replaced by the schema's own", own_skeleton),
    "dated": Fix("a blank put back between date and time", dated),
    "zeroed": Fix("(-1, -1, 0) written (0, 0, 0)", zeroed),
    "corners-to-size": Fix("all boxes x1, y1, x2, y2 written x, y, width, height", corners_to_size),
    "turned-size": Fix("width and height exchanged where the picture proves it; needs --images", turned_size),
    "recount": Fix("num_keypoints counted anew; it decides what evaluation ignores, so that published numbers move", recount, asked=True),
    "once": Fix("entries that repeat an earlier one in every value (annotations: but for the id) removed", once),
}
"""In the order they are applied: tables first, removals last."""


# -- applying, logging, undoing ----------------------------------------------------------------------


def fix_file(path: str | Path, out: str | Path, report: Report, fixes: Sequence[str] | None = None) -> list[Change]:
    """Write a copy of a JSON file in which named fixes are applied to what a report found, and `OUT.fixes.jsonl`, the log that undoes it.

    Without `fixes` all that move no published number; `recount` does, and must be named.
    """
    names = _names(fixes)
    if Path(out).resolve() == Path(path).resolve():
        raise FormatError(str(out), "is the file itself", "a fix writes a new file")
    if Path(path).suffix != ".json":
        raise FormatError(str(path), "not a JSON file", "fixes are made to COCO's JSON")
    document = plain_document(path)
    if "keypoints" in document and "annotations" not in document:
        raise FormatError(str(path), "TechNumber's form", "posedata convert writes it as COCO; load_dataset('akd') leaves out what is garbage")
    changes = list(_applied(document, report, names))
    write_bytes(log_path(out), "".join(c.to_line() + "\n" for c in changes).encode())
    write_bytes(out, msgspec.json.encode(document))
    return changes


def log_path(out: str | Path) -> Path:
    """Where the log of a fixed file lies."""
    return Path(f"{out}.fixes.jsonl")


def _names(fixes: Sequence[str] | None) -> list[str]:
    for name in fixes or ():
        if name not in FIXES:
            raise PoseError("fixes", f"no fix {brief(name)!r}", did_you_mean(name, FIXES))
    return [n for n, fix in FIXES.items() if (n in fixes if fixes is not None else not fix.asked)]


def _applied(document: Any, report: Report, names: Sequence[str]) -> Iterator[Change]:
    """Every change, made as it is named; findings are taken in such an order that their paths hold."""
    found: dict[str, list[Finding]] = {}
    for finding in report:
        found.setdefault(finding.fix, []).append(finding)
    places = _places_by_key(document)
    done: set[tuple[str, Any]] = set()
    for name in names:
        findings = [_moved(f, places) for f in found.get(name, ())]
        memo: Memo = {}
        for f in sorted(findings, key=lambda f: _steps(f.path)[1:2], reverse=True) if name == "once" else findings:
            for change in _changes(name, document, f, memo):
                if (change.op, change.path) not in done or change.op == "set":
                    done.add((change.op, change.path))
                    _make(document, change)
                    yield change


def _changes(name: str, document: Any, f: Finding, memo: Memo) -> list[Change]:
    """What a fix would change; nothing where other faults of the place leave nothing to hold on to. The finding then stays."""
    try:
        return list(FIXES[name].make(document, f, memo))
    except (LookupError, TypeError, ValueError, AttributeError):
        return []


def _places_by_key(document: Any) -> dict[str, dict[str, int]]:
    """For tables that are objects: where each member will stand in the list."""
    return {t: {k: i for i, k in enumerate(document[t])} for t in ("images", "annotations", "categories") if isinstance(document.get(t), dict)}


def _moved(f: Finding, places: Mapping[str, Mapping[str, int]]) -> Finding:
    """A finding whose path names a member by key, with its place in the list the table has become."""
    match = re.match(r"\$\.(\w+)\.([^.\[\]]+)(.*)", f.path)
    if match is None or match[1] not in places or match[2] not in places[match[1]]:
        return f
    return Finding(**{**f.to_dict(), "path": f"$.{match[1]}[{places[match[1]][match[2]]}]{match[3]}"})


def _make(document: Any, c: Change) -> None:
    parent = _at(document, c.path[:-1])
    if c.op == "remove":
        del parent[c.path[-1]]
    elif c.op == "rename":
        _rename(parent, c.path[-1], c.before, c.after)
    else:
        parent[c.path[-1]] = copy.deepcopy(c.after)  # later changes go into the document, not into the log


def _rename(parent: Any, place: Any, old: str, new: str) -> None:
    """A key under another name, in its own place."""
    parent[place] = {new if k == old else k: v for k, v in parent[place].items()}


def _unmake(document: Any, c: Change) -> None:
    parent = _at(document, c.path[:-1])
    if c.op == "remove":
        parent.insert(c.path[-1], c.before)
    elif c.op == "add":
        del parent[c.path[-1]]
    elif c.op == "rename":
        _rename(parent, c.path[-1], c.after, c.before)
    else:
        parent[c.path[-1]] = c.before


def undo_fixes(path: str | Path, out: str | Path, log: str | Path | None = None) -> int:
    """Write the file as it was before its fixes, by the log beside it; how many changes were undone."""
    lines = log_path(path) if log is None else Path(log)
    document = plain_document(path)
    changes = _read_log(lines)
    for c in reversed(changes):
        try:
            if c.op in ("set", "add") and _at(document, c.path) != c.after:
                raise KeyError(c.path)
            _unmake(document, c)
        except (KeyError, IndexError, TypeError, AttributeError):
            raise FormatError(str(lines), f"does not fit {path} at {c.to_line()[:80]}", "undo the fixed file itself, not one changed since") from None
    write_bytes(out, msgspec.json.encode(document))
    return len(changes)


def _read_log(path: Path) -> list[Change]:
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return [Change(r["fix"], r["code"], r["op"], tuple(r["path"]), r["before"], r["after"]) for r in rows]
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "cannot be read").lower(), "the log lies beside the fixed file: FILE.fixes.jsonl") from None
    except (ValueError, KeyError, TypeError) as e:
        raise FormatError(str(path), f"not a log of fixes ({brief(str(e), 60)})", "it has a JSON object in each line") from None
