"""What is wrong with a message: a code for programs, a sentence for people."""

from typing import Literal

from ...model.errors import InputError

Code = Literal[
    "header",
    "version",
    "kind",
    "no_session",
    "token",
    "model",
    "classes",
    "style",
    "stream",
    "name_taken",
    "full",
    "seq",
    "size",
    "planes",
    "dtype",
    "shape",
    "encoding",
    "bytes",
    "corrupt",
    "value",
    "control",
    "paint",
    "ended",
]


class WireError(InputError):
    """A message that is refused; `code` is one of the table in docs/wire.md."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code: Code = code
