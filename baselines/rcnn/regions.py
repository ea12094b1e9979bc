"""torchvision's proposals and region heads, opened where we need them: crowds teach nothing, and boxes and points can be had apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import box_area

__all__ = ["Proposals", "Regions", "share_inside"]

_IN_CROWD = 0.5
"""Share of a box inside a crowd's region from which on it is neither a truth missed nor background."""


def share_inside(boxes: Tensor, regions: Tensor) -> Tensor:
    """(n,) the largest share of each box that lies in one of the regions; 0 without regions."""
    if not len(regions):
        return boxes.new_zeros(len(boxes))
    low, high = torch.maximum(boxes[:, None, :2], regions[:, :2]), torch.minimum(boxes[:, None, 2:], regions[:, 2:])
    shared = (high - low).clamp(min=0).prod(-1).amax(1)
    return shared / box_area(boxes).clamp(min=1e-6)


class Proposals(RegionProposalNetwork):  # type: ignore[misc]
    """Where somebody may be."""

    def assign_targets_to_anchors(self, anchors: list[Tensor], targets: list[dict[str, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
        """torchvision's, but anchors in a crowd's region are no background."""
        labels, matched = super().assign_targets_to_anchors(anchors, targets)
        for label, anchor, target in zip(labels, anchors, targets, strict=True):
            label[(label == 0) & (share_inside(anchor, target["crowd"]) > _IN_CROWD)] = -1
        return labels, matched


class Regions(RoIHeads):  # type: ignore[misc]
    """What is in a box, where exactly it ends, and where its points lie."""

    def sampled(self, proposals: list[Tensor], targets: list[dict[str, Tensor]]) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        """Boxes to learn from, the truth each is matched to, 1 for somebody or 0, and the way to the truth's box."""
        kept = [one[share_inside(one, target["crowd"]) <= _IN_CROWD] for one, target in zip(proposals, targets, strict=True)]
        return self.select_training_samples(kept, targets)  # which adds the truths' own boxes

    def judged(self, maps: Mapping[str, Tensor], boxes: Sequence[Tensor], shapes: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """Logits of nobody and somebody for each box, and the way to a better box."""
        return self.box_predictor(self.box_head(self.box_roi_pool(maps, boxes, shapes)))

    def boxes(self, maps: Mapping[str, Tensor], proposals: Sequence[Tensor], shapes: Sequence[tuple[int, int]]) -> list[tuple[Tensor, Tensor]]:
        """Better boxes with scores, thinned, for each picture."""
        logits, ways = self.judged(maps, proposals, shapes)
        boxes, scores, _ = self.postprocess_detections(logits.float(), ways.float(), proposals, shapes)
        return list(zip(boxes, scores, strict=True))

    def keypoint_features(self, maps: Mapping[str, Tensor], boxes: Sequence[Tensor], shapes: Sequence[tuple[int, int]]) -> Any:
        """(n, C, 14, 14) of the boxes of all pictures."""
        return self.keypoint_head(self.keypoint_roi_pool(maps, boxes, shapes))
