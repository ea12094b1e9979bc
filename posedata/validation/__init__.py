"""Validation: rules over columns, what they found, and named fixes for what is provably wrong."""
