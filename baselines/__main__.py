"""python -m baselines, and torchrun -m baselines."""

from .cli import main

main()
