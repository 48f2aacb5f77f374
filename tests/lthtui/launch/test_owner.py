import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from rundirs import FakeRun
from waiting import PATIENCE

from engine.errors import UsageError
from lthtui.launch import lease, limiting, owner

NOBODY = 65534
ASK = """
import os, sys
from lthtui.cli import main
from lthtui.launch import lease
root, *commands = sys.argv[1:]
lease.ensure = lambda root: None
for words in commands:  # which imports what this user may be unable to read
    main([*words.split(), "--root", root + "-copy"])
os.setgroups([]), os.setgid({id}), os.setuid({id})
sys.stdout.flush(), print("as nobody", file=sys.stderr, flush=True)
print([main([*words.split(), "--root", root]) for words in commands])
"""


@pytest.fixture
def opened(stage, monkeypatch):
    """A root with a waiting run at which everybody may look."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    stage.submit(0)
    with TemporaryDirectory() as folder:  # others' temporary folders are closed to nobody
        for name in ("mlruns", "mlruns-copy"):
            shutil.copytree(stage.root, Path(folder) / name)
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield Path(folder) / "mlruns"


def test_others_may_look_and_change_nothing(opened):
    before = {path: path.stat().st_mtime_ns for path in opened.rglob("*")}
    changes = ["cancel", "pause", "resume", "hold", "release", "priority 5"]
    commands = ["queue", "list", *(f"{change} play" for change in changes), "limit 2 --user me"]
    done = subprocess.run(
        [sys.executable, "-c", ASK.replace("{id}", str(NOBODY)), str(opened), *commands],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout.splitlines()[-1] == str([0, 0, *[2] * 7]), done.stderr
    said = done.stderr.partition("as nobody")[2]
    assert said.count(f"{opened} belongs to root") == 7
    assert "give a root of your own with --root" in said
    assert {path: path.stat().st_mtime_ns for path in opened.rglob("*")} == before


LOOK = """
import os, sys
from pathlib import Path
from engine.spec import RunSpec
from lthtui.launch import mirroring, queue
spec = RunSpec.model_validate_json(sys.argv[2])
root = Path(sys.argv[1])
queue.preview(root, [spec])  # imports what this user may be unable to read
os.setgroups([]), os.setgid({id}), os.setuid({id})
behind = filter(mirroring.needs, mirroring.candidates(root))
print([run.run_id for run in behind], queue.preview(root, [spec])[0].action)
"""


def test_a_run_that_only_somebody_else_may_read_stops_no_other(stage):
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    (spec,) = stage.specs(0)
    with TemporaryDirectory() as folder:
        root = Path(folder) / "mlruns"
        closed, ended = (FakeRun(root, name).start().end() for name in ("closed", "ended"))
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        closed.directory.path.chmod(0o700)
        done = subprocess.run(
            [sys.executable, "-c", LOOK.replace("{id}", str(NOBODY)), root, spec.model_dump_json()],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    assert done.stdout == f"{[ended.run_id]} new\n", done.stderr


def test_the_owner_and_the_superuser_may(tmp_path, monkeypatch):
    assert owner.of(tmp_path / "no root yet") is None
    owner.check(tmp_path / "no root yet")
    owner.check(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(UsageError, match="belongs to"):
        owner.check(tmp_path)
    with pytest.raises(UsageError, match="belongs to"):
        limiting.limit(tmp_path, "users", "me", 1)
    monkeypatch.setattr(os, "geteuid", lambda: owner.SUPERUSER)
    owner.check(tmp_path)


def test_a_user_without_a_name_is_called_by_number(tmp_path, monkeypatch):
    monkeypatch.setattr(owner, "of", lambda root: 54321)
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    with pytest.raises(UsageError, match="belongs to user 54321"):
        owner.check(tmp_path)
