"""Whether known sigmas are found again: how often the intervals hold them, and the mean of estimate over truth.

python -m benchmarks.sigmas [--times 100]
"""

from __future__ import annotations

import argparse

import numpy as np

import posedata
from tests.repeated import repeated

CASES = ((20, 2, False), (20, 3, False), (60, 2, False), (60, 3, False), (200, 3, False), (60, 3, True), (200, 3, True))


def covered(n: int, raters: int, long_tails: bool, interval: str, times: int) -> tuple[float, float]:
    """Share of the intervals that hold the truth, and the mean of estimate over truth; long tails are left in."""
    truth = posedata.load_schema("coco17").sigmas
    found = [
        posedata.estimate_sigmas(repeated(n, raters, seed, long_tails=long_tails), interval=interval, outlier=None if long_tails else 4.0)
        for seed in range(times)
    ]
    return float(np.mean([(f.low <= truth) & (f.high >= truth) for f in found])), float(np.mean([f.sigmas / truth for f in found]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100)
    times = parser.parse_args().times
    for n, raters, long_tails in CASES:
        (chi2, ratio), (bootstrap, _) = (covered(n, raters, long_tails, interval, times) for interval in ("chi2", "bootstrap"))
        print(f"| {n} | {raters} | {'long tails' if long_tails else 'normal'} | {chi2:.1%} | {bootstrap:.1%} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
