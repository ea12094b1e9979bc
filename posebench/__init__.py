"""posebench: scores for keypoint predictions that can be quoted without a footnote."""

from posedata.version import __version__

__all__ = ["__version__"]
