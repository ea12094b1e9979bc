"""Merging: many sets as one under one schema, with a word on everything that could not be kept."""
