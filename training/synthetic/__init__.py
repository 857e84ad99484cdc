"""Licence-clean data makers."""
