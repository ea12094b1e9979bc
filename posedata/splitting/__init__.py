"""Splitting: parts of a set that share nothing, chosen by a rule that can be told and repeated."""
