"""The error taxonomy: what went wrong with every keypoint and every pose, and what it costs."""
