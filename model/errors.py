"""Errors that carry a sentence for the user: what came, and what is accepted."""


class RotoliveError(Exception):
    """Something the user can mend; the message says how."""


class InputError(RotoliveError):
    """An input (file, stream, request) that cannot be used."""


class ModelError(RotoliveError):
    """A model package that is missing, damaged, too new, or lacks what was asked of it."""
