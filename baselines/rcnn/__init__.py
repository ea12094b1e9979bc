"""KeypointRCNN for any skeleton: finds every person or animal of a picture, and their points. docs/keypointrcnn.md tells how to use it."""
