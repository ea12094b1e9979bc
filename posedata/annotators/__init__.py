"""Repeated annotation: how far people disagree (sigmas), who disagrees how, and what they agree on."""
