"""The first look at a set: what it holds, as columns; how two sets differ; a page and a picture of it."""
