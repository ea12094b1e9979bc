"""Errors in FiftyOne: fields, tags, saved views, an evaluation and a panel."""
