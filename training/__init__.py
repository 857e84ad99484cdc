"""Offline: data makers, the training loop, metrics."""
