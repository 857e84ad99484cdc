"""Errors that carry a sentence for the user: what came, and what is accepted."""


class RotoliveError(Exception):
    """Something the user can mend; the message says how."""


class InputError(RotoliveError):
    """An input (file, stream, request) that cannot be used."""


class ModelError(RotoliveError):
    """A model package that is missing, damaged, too new, or lacks what was asked of it."""


class TrainingStopped(RotoliveError):
    """A run that cannot go on; what it had learned is on the disk."""


def missing_library(error: BaseException) -> str | None:
    """A sentence for an import that failed for want of a system library, else None."""
    if "cannot open shared object file" not in str(error):
        return None
    library = str(error).partition(":")[0]
    return (
        f"the system library {library} is missing. On Debian or Ubuntu: "
        "apt-get install libgl1 libegl1 libgles2"
    )
