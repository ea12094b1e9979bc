"""baselines: reference models, trained and scored in the open."""
