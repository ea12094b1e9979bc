"""Statistics: how far a number can be trusted, by drawing the images again with replacement."""
