"""Suspects: annotations that look wrong, by a held-out model's predictions or by the set's own shapes; and planted ones to measure that with."""
