"""One file per format: in, out, or both. Rows live here and nowhere else."""
