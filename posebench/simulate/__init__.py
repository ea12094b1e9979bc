"""Predictions made from the truth, with errors of known kinds: what an error analysis must find again."""

from .build import SHARES, simulate
from .injected import KINDS, POSES, Injected, Simulated, read_injected

__all__ = ["KINDS", "POSES", "SHARES", "Injected", "Simulated", "read_injected", "simulate"]
