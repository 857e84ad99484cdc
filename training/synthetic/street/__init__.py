"""A procedural street: models of street scenes learn from it, an engine demo drives in it."""
