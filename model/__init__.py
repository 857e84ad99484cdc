"""Tensors in, tensors out: conditions, the recurrent generator, model packages, runtimes."""
