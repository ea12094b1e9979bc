"""Checks before training: data, batch, shapes, gradients, activations, learning rate, and a few examples learned by heart."""
