"""Errors the user can mend end as one sentence."""

import pytest

from rotolive import __main__ as command
from rotolive.model.errors import missing_library


def test_a_missing_system_library_names_the_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def models() -> None:
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(command, "COMMANDS", {"models": models, "render": models})
    monkeypatch.setattr("sys.argv", ["rotolive", "models"])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    said = capsys.readouterr().err
    assert "libGL.so.1 is missing" in said and "apt-get install libgl1" in said


def test_other_import_errors_are_not_disguised() -> None:
    assert missing_library(ImportError("No module named 'x'")) is None
