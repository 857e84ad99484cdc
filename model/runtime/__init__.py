"""Steppers: one signature over several ways to run the generator."""
