"""Semantic labels as a condition: which classes there are, edits of them, planes for the net."""
