"""Seconds, measured where they are spent: reading, network, decoding, and one crop at a time. A GPU is waited for before a watch is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch

__all__ = ["Stopwatch", "Timing"]

T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """Seconds of one prediction, part by part."""

    crops: int
    reading: float
    """Waiting for pictures to be read and cut: what threads did meanwhile does not count."""
    network: float
    decoding: float
    p50_ms: float
    """Half of the crops, one at a time, took no longer; network and decoding."""
    p95_ms: float
    device: str
    unit: str = "crops"

    @property
    def images_per_second(self) -> float:
        """Crops through network and decoding, flip test included."""
        spent = self.network + self.decoding
        return self.crops / spent if spent > 0 else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Plain values; no number is null."""
        values = {
            "crops": self.crops, "reading_s": self.reading, "network_s": self.network, "decoding_s": self.decoding,
            "images_per_second": self.images_per_second, "latency_p50_ms": self.p50_ms, "latency_p95_ms": self.p95_ms, "device": self.device,
        }  # fmt: skip
        return {k: None if isinstance(v, float) and not np.isfinite(v) else round(v, 6) if isinstance(v, float) else v for k, v in values.items()}

    def text(self) -> str:
        """For people."""
        if not self.crops:
            return "no boxes, nothing to time"
        parts = f"reading {self.reading:.2f} s, network {self.network:.2f} s, decoding {self.decoding:.2f} s"
        single = "" if np.isnan(self.p50_ms) else f"; one at a time p50 {self.p50_ms:.1f} ms, p95 {self.p95_ms:.1f} ms"
        return f"{self.crops:,} {self.unit}: {parts}: {self.images_per_second:,.0f} images/s through network and decoding{single}, on {self.device}"


@dataclass
class Stopwatch:
    """Adds up seconds by part."""

    device: torch.device
    spent: dict[str, float] = field(default_factory=lambda: {"reading": 0.0, "network": 0.0, "decoding": 0.0})

    def read(self, things: Iterable[T]) -> Iterator[T]:
        """The same things; the time they let us wait is reading."""
        source = iter(things)
        while True:
            begun = time.perf_counter()
            try:
                thing = next(source)
            except StopIteration:
                return
            finally:
                self.spent["reading"] += time.perf_counter() - begun
            yield thing

    @contextmanager
    def network(self) -> Iterator[None]:
        with self._part("network"):
            yield

    @contextmanager
    def decoding(self) -> Iterator[None]:
        with self._part("decoding"):
            yield

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        self.wait()
        begun = time.perf_counter()
        yield
        self.wait()
        self.spent[name] += time.perf_counter() - begun

    def wait(self) -> None:
        """Until the GPU has done all it was told."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def each(self, work: Callable[[T], Any], things: Sequence[T], warm: int = 3) -> list[float]:
        """Seconds for each thing by itself, after some that warm up."""
        for i in range(warm if things else 0):
            work(things[i % len(things)])
        seconds = []
        for thing in things:
            self.wait()
            begun = time.perf_counter()
            work(thing)
            self.wait()
            seconds.append(time.perf_counter() - begun)
        return seconds

    def timing(self, crops: int, singles: Sequence[float] = (), unit: str = "crops") -> Timing:
        """What was measured."""
        p50, p95 = np.quantile(singles, (0.5, 0.95)) * 1e3 if len(singles) else (np.nan, np.nan)
        return Timing(crops, **self.spent, p50_ms=float(p50), p95_ms=float(p95), device=device_name(self.device), unit=unit)


def device_name(device: torch.device) -> str:
    """As a table names it."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{_processor()}, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"


def _processor() -> str:
    """The processor's own name where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    import platform

    return names[0] if names else platform.processor() or platform.machine() or "CPU"
