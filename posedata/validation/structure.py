"""Structure: ids, references, lengths, names and skeletons. The reader notes them as it goes; each rule takes its kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .findings import Hits, Rule, hits
from .subject import Subject

__all__ = ["STRUCTURE"]


def noted(kind: str) -> Callable[[Subject], Hits]:
    """What the reader noted under one kind."""

    def find(subject: Subject) -> Hits:
        notes = subject.notes.get(kind, [])
        figures = tuple(np.array([*(getattr(n, key) for n in notes), None], object)[:-1] for key in ("seen", "cure"))
        rows = np.arange(len(notes))
        return Hits(rows, None, figures, tuple(n.path for n in notes), tuple((n.image, n.annotation) for n in notes))

    return find


def _rule(code: str, name: str, severity: str, says: str, sentence: str, observed: str = "{0}", **more: Any) -> Rule:
    return Rule(code=code, name=name, topic="structure", severity=severity, scope="file", table="", says=says, sentence=sentence,
                observed=observed, expected="{1}", find=noted(name), **more)  # fmt: skip


def odd_files(subject: Subject) -> Hits:
    """File names with pieces of HTML, line breaks, or blanks at their ends."""
    files = subject.ds.images.file.tolist()
    odd = [
        i
        for i, f in enumerate(files)
        if f != f.strip() or not f.isprintable() or ("&" in f and any(w in f for w in ("&quot", "&amp", "&apos", "&#", "&lt", "&gt")))
    ]
    return hits(np.array(odd, int), np.array([*(files[i] for i in odd), None], object)[:-1])


def escaping_files(subject: Subject) -> Hits:
    """File names that lead out of their folder."""
    files = subject.ds.images.file.tolist()
    odd = [i for i, f in enumerate(files) if f.startswith(("/", "\\")) or f[1:3] == ":\\" or "\0" in f or ".." in f.replace("\\", "/").split("/")]
    return hits(np.array(odd, int), np.array([*(files[i] for i in odd), None], object)[:-1])


STRUCTURE = (
    _rule("PD001", "table-form", "error", "table that is no list", "`images`, `annotations` and `categories` are lists of objects; readers written for COCO stop at anything else.",
          trap="CMU's foot files hold `categories` as one object (CMU-Perceptual-Computing-Lab/openpose issue #1044); Animal-Pose holds `images` as an object of names by id (noahcao/animal-pose-dataset).",
          traps=("cmu-foot", "animal-pose"), fix="listed-table"),
    _rule("PD002", "foreign-form", "error", "file of another form", "The file holds poses in a form of its own. Its rows were not read.",
          trap="StanfordExtra is a list of records with `joints` and `img_bbox` (benjiebob/StanfordExtra); DeepLabCut writes CSV with three header rows and empty cells for missing points.",
          traps=("stanford-extra", "dlc-csv")),
    _rule("PD003", "missing", "error", "required key missing", "Every image and annotation has an `id`, every annotation an `image_id` and a `category_id`.", observed="",
          trap="Animal-Pose's annotations have no id (noahcao/animal-pose-dataset).", traps=("animal-pose",), fix="numbered-id"),
    _rule("PD004", "repeated-id", "error", "id that is not its own", "Two different entries with one id: which of them is meant depends on the reader."),
    _rule("PD005", "id-kind", "error", "id of another kind", "Numbers and their text are different ids: 12 is not \"12\", and no reader finds one by the other.", fix="one-kind-of-id"),
    _rule("PD006", "dangling", "error", "reference to what is not there", "An annotation names an image or a category the file does not hold; it cannot be placed."),
    _rule("PD007", "length", "error", "wrong number of keypoints", "`keypoints` holds x, y, v for every keypoint of its category."),
    _rule("PD008", "visibility", "error", "visibility flag that is none", "v is 0 (not labelled), 1 (hidden) or 2 (seen); COCO-WholeBody's v may be a fraction.",
          trap="COCO-WholeBody's visibility of hands and face may be a float (jin-s13/COCO-WholeBody).", traps=("wholebody",)),
    _rule("PD009", "value", "error", "value that cannot be read", "Text where a number is needed, three numbers for a box, NaN, a number too large to be kept."),
    _rule("PD010", "categories", "error", "category that cannot be used", "Names of no known schema, a name that stands twice, an id that stands twice. Points of unknown names are looked at under a schema made of these names."),
    _rule("PD011", "skeleton-range", "warning", "skeleton of another set", "The links name keypoints that are not there: drawn, or used for training, they join the wrong points or crash.",
          trap="CrowdPose's files carry COCO's 17-joint skeleton beside 14 keypoints (Jeff-sjtu/CrowdPose).", traps=("crowdpose-misc",), fix="own-skeleton"),
    _rule("PD012", "skeleton-base", "warning", "skeleton that counts from 0", "COCO's skeletons count from 1; read so, every link joins the neighbours of its points.",
          trap="COCO counts from 1, Animal-Pose's keypoints.json from 0; X-Pose's file mixes both.", traps=("coco", "animal-pose"), fix="own-skeleton"),
    _rule("PD013", "float-id", "warning", "id written as a float", "1.731118E+6 is the number 1731118, but not to a reader that uses ids as text or takes integers only.",
          trap="CMU's foot files write ids from a million on so (Matlab's JSON writer).", traps=("cmu-foot",), fix="whole-id"),
    _rule("PD014", "flat-polygon", "warning", "polygon not in a list", "`segmentation` is a list of polygons; one flat list of numbers breaks pycocotools' annToMask.",
          trap="CMU's foot files.", traps=("cmu-foot",), fix="nested-polygon"),
    _rule("PD015", "file-name-key", "error", "file name under another key", "The key is `file_name`; no reader finds the picture otherwise.",
          trap="ATRW's pose files say `filename` (cvwc2019).", traps=("atrw",), fix="file-name-key"),
    _rule("PD016", "odd-name", "warning", "name with blanks at its end", "It is not found by its name.",
          trap="Animal Kingdom spells a keypoint \"Ankle_Left \" (sutdcv/Animal-Kingdom).", traps=("animal-kingdom",), fix="trimmed-name"),
    _rule("PD017", "repeated-image", "warning", "image entry that stands twice", "The same entry again: counts of images, and splits by entry, are wrong.",
          trap="COCO subsets in the wild repeat image entries.", traps=("coco-subsets",), fix="once"),
    _rule("PD018", "other-points", "note", "points under other keys", "Feet, hands or faces stand beside `keypoints` under keys of their own and are not read; `num_keypoints` counts the body.",
          trap="COCO-WholeBody: foot_kpts, face_kpts, ..., each with its own valid flag (jin-s13/COCO-WholeBody).", traps=("wholebody",)),
    _rule("PD019", "sigmas", "warning", "sigmas in another order", "A bare list of sigmas fits any order of as many points; compared by name, left and right of a pair differ.",
          trap="AP-10K's own list was in COCO's order until AlexTheBad/AP-10K@417e1d6 (2021-12-02).", traps=("ap10k-sigmas",)),
    _rule("PD020", "stripped-blanks", "note", "text whose blanks were stripped", "\"2013-11-1417:02:52\" was a date and a time.",
          trap="CMU's foot files lost the white space inside strings.", traps=("cmu-foot",), fix="dated"),
    Rule(code="PD021", name="odd-file-name", topic="structure", severity="note", scope="set", table="images", key="file_name", says="odd file name", find=odd_files,
         sentence="Pieces of HTML, line breaks or blanks at the ends of a file name are lost by shells, archives and other systems.", observed="{0!r}", expected="plain names travel",
         trap="TechNumber's cats: Cyrillic letters, quotes and HTML entities (TechNumber/pytorch_animal_pose_estimation); the downloaded archive renames them.", traps=("akd",)),
    Rule(code="PD022", name="escaping-file-name", topic="structure", severity="error", scope="set", table="images", key="file_name", says="file name that leaves its folder", find=escaping_files,
         sentence="An absolute path, or one with `..`: opened, it reads files elsewhere. We refuse to.", observed="{0!r}", expected="a path inside the folder of images"),
)  # fmt: skip
