"""Pictures that are the same, or nearly: fingerprints, a search without all pairs, a second look at each pair, clusters."""
