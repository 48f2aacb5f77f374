import os
import pty
import subprocess
import sys

import pytest
from waiting import PATIENCE

from engine.errors import DataError, Stopped, StoreError
from lthtui import cli, settings, specfiles


def lthtui(*arguments, **options):
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "lthtui", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)


def raising(error):
    def expand(*_):
        raise error

    return expand


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("lthtui 0.")


def test_without_a_terminal_the_help_goes_to_stderr(capsys):
    assert cli.main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "Commands:" in printed.err and "check" in printed.err


@pytest.mark.parametrize("arguments", [[], ["--root", "here"]])
def test_the_app_is_not_drawn_into_a_file(arguments, tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "lthtui", *arguments]
    with (tmp_path / "said").open("w+") as said:
        done = subprocess.run(
            command, stdin=theirs, stdout=theirs, stderr=said, cwd=tmp_path, timeout=PATIENCE
        )
        os.close(theirs)
        seen = os.read(ours, 100_000)
        os.close(ours)
        said.seek(0)
        assert done.returncode == 2 and said.read() == ""
    assert seen.startswith(b"lthtui: the app draws on stderr") and b"without 2>\r\n" in seen


@pytest.mark.parametrize("arguments", [["chek", "x"], ["check"], ["check", "--nope", "x"]])
def test_wrong_usage_ends_with_2_and_says_so_on_stderr(arguments, capsys):
    assert cli.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "Error: " in printed.err


@pytest.mark.parametrize(
    ("error", "code"),
    [(DataError("no\x1b[2J images"), 2), (StoreError("locked"), 1), (Stopped("resume it"), 75)],
)
def test_an_error_of_ours_is_one_clean_message_and_its_code(error, code, capsys, monkeypatch):
    monkeypatch.setattr(specfiles, "expand", raising(error))
    assert cli.main(["plan", "x"]) == code
    printed = capsys.readouterr()
    assert printed.err == f"lthtui: {error}\n".replace("\x1b", "\\x1b") and printed.out == ""


def test_an_unexpected_error_hides_its_traceback_unless_asked(capsys, monkeypatch):
    monkeypatch.setattr(specfiles, "expand", raising(ZeroDivisionError("oh\x1b[2J")))
    assert cli.main(["plan", "x"]) == 1
    printed = capsys.readouterr().err
    assert "unexpected ZeroDivisionError: oh\\x1b[2J" in printed
    assert "LTHTUI_DEBUG=1" in printed and "Traceback" not in printed
    monkeypatch.setenv("LTHTUI_DEBUG", "1")
    assert cli.main(["plan", "x"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_error_of_the_system_names_the_file(capsys, monkeypatch):
    error = OSError(28, "No space left on device", "mlruns/x")
    monkeypatch.setattr(specfiles, "expand", raising(error))
    assert cli.main(["plan", "x"]) == 1
    assert capsys.readouterr().err == "lthtui: No space left on device: mlruns/x\n"


def test_an_interrupt_ends_with_130(monkeypatch):
    monkeypatch.setattr(specfiles, "expand", raising(KeyboardInterrupt()))
    assert cli.main(["plan", "x"]) == 130


def test_a_reader_that_leaves_is_no_error():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "lthtui", "schema"]
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, timeout=PATIENCE)
    assert done.stderr == b""
    assert done.returncode not in (0, 2)


def test_the_root_is_for_all_commands(monkeypatch, tmp_path):
    monkeypatch.setenv("LTHTUI_ROOT", "elsewhere")
    monkeypatch.chdir(tmp_path)
    cli.main(["--root", "here", "schema"])
    assert settings.root() == tmp_path / "here"


def test_without_a_terminal_nothing_is_coloured(tmp_path):
    done = lthtui("check", "none.yaml", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "none.yaml: no such spec\n"


def test_on_a_terminal_no_escape_from_outside_gets_through(tmp_path):
    evil = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202e"
    (tmp_path / "evil.yaml").write_text(f'data: digits\nmodel: "{evil!a}"\n'.replace("'", ""))
    ours, theirs = pty.openpty()
    names = [f"{evil}.yaml", "evil.yaml", f"evil={evil}"]
    command = [sys.executable, "-m", "lthtui", "check", *names]
    done = subprocess.run(command, stdout=theirs, stderr=theirs, cwd=tmp_path, timeout=PATIENCE)
    os.close(theirs)
    seen = os.read(ours, 100_000)
    os.close(ours)
    assert done.returncode == 2
    assert b"\x1b" not in seen and b"\x07" not in seen and "\u202e".encode() not in seen
    assert b"\\x1b]52" in seen
