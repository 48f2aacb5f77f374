"""Archives from elsewhere, well-meant, broken and hostile."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile

import pytest
from disks import mounted

from engine.errors import Damaged
from lthtui import unpacking
from lthtui.unpacking import unpack

MOST = 10_000


def tar(path, members, mode="w:gz"):
    """A tar archive; contents that are TarInfo types make members of that kind."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes) and len(content) == 1 and content in b"12345":
                info.type, info.linkname = content, "../../outside"
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


MAKERS = {
    "a.tar": lambda path, members: tar(path, members, "w"),
    "a.tar.gz": tar,
    "a.zip": zipped,
}


@pytest.fixture(params=MAKERS)
def make(request, tmp_path):
    return lambda *members: MAKERS[request.param](tmp_path / request.param, members)


def below(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_inner_folder_is_unpacked_and_nothing_else(make, tmp_path):
    found = make(("./set/a/1.jpg", b"one"), ("set/2.txt", b"two"), ("readme", b"no"))
    unpack(found, tmp_path / "out", "set", MOST)
    assert below(tmp_path / "out") == {"a/1.jpg": b"one", "2.txt": b"two"}


@pytest.mark.parametrize("name", ["/etc/f1", "../f1", "set/../../f1", "set/a/../../../f1"])
def test_no_path_leads_out(make, tmp_path, name):
    with pytest.raises(Damaged, match="a path that leads out of it"):
        unpack(make(("set/1", b"one"), (name, b"bad")), tmp_path / "in/out", "set", MOST)
    assert not [*tmp_path.rglob("f1")]


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4"])  # hard link, link, devices
def test_no_link_and_no_device_comes_out(tmp_path, kind):
    archive = tar(tmp_path / "a.tar.gz", [("set/1", b"one"), ("set/bad", kind)])
    with pytest.raises(Damaged, match=r"a link or a device \(set/bad\)"):
        unpack(archive, tmp_path / "out", "set", MOST)
    assert below(tmp_path / "out") == {"1": b"one"}


def test_no_link_comes_out_of_a_zip_file(tmp_path):
    link = zipfile.ZipInfo("set/bad")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = zipped(tmp_path / "a.zip", [("set/1", b"one"), (link, b"../../outside")])
    with pytest.raises(Damaged, match="a link or a device"):
        unpack(archive, tmp_path / "out", "set", MOST)


def test_what_unpacks_to_too_much_stops_before_it_is_there(make, tmp_path):
    bomb = make(("set/1", b"one"), ("set/2", bytes(MOST)), ("set/3", b"three"))
    with pytest.raises(Damaged, match="unpacks to more than 10 kB"):
        unpack(bomb, tmp_path / "out", "set", MOST)
    assert below(tmp_path / "out") == {"1": b"one"}


def test_a_zip_file_that_lies_about_sizes_writes_no_more_than_it_says(tmp_path):
    archive = zipped(tmp_path / "a.zip", [("set/1", bytes(1_000_000))])
    content = archive.read_bytes().replace((1_000_000).to_bytes(4, "little"), b"\x10\0\0\0")
    archive.write_bytes(content)
    with pytest.raises(Damaged, match="CRC"):
        unpack(archive, tmp_path / "out", "set", MOST)
    assert sum(map(len, below(tmp_path / "out").values())) <= 16


def test_there_are_not_too_many_files(make, tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MEMBERS", 3)
    with pytest.raises(Damaged, match="many files"):
        unpack(make(*((f"set/{n}", b"") for n in range(4))), tmp_path / "out", "set", MOST)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_file_comes_twice(make, tmp_path):
    with pytest.raises(Damaged, match="holds a file twice"):
        unpack(make(("set/1", b"one"), ("set/1", b"two")), tmp_path / "out", "set", MOST)


@pytest.mark.parametrize("left", [2000, 5500])
def test_what_is_cut_off_is_damaged(make, tmp_path, left):
    archive = make(("set/1", os.urandom(3000)), ("set/2", os.urandom(3000)))
    archive.write_bytes(archive.read_bytes()[:left])
    with pytest.raises(Damaged, match="is damaged"):
        unpack(archive, tmp_path / "out", "set", MOST)


def test_what_is_no_archive_is_damaged(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"<html>Not found</html>")
    with pytest.raises(Damaged, match="is damaged"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out", "set", MOST)


def test_an_archive_without_the_folder_is_another(make, tmp_path):
    with pytest.raises(Damaged, match="has no folder set"):
        unpack(make(("other/1", b"one")), tmp_path / "out", "set", MOST)


def test_names_are_shown_as_text(make, tmp_path):
    with pytest.raises(Damaged) as raised:
        unpack(make(("../\x1b[31m", b"bad")), tmp_path / "out", "set", MOST)
    assert "\x1b" not in str(raised.value) and r"..\x1b" in str(raised.value).replace("/", "")


def test_a_full_disk_is_told_with_its_place(make, tmp_path):
    archive = make(("set/1", os.urandom(300_000)))
    with mounted(tmp_path / "disk", 1) as disk:
        disk.fill(leave=100_000)
        with pytest.raises(OSError, match="No space left on device.*out/1"):
            unpack(archive, disk.folder / "out", "set", 10**6)


def test_a_tar_file_that_ends_with_a_zip_file_is_a_tar_file(tmp_path):
    inner = zipped(tmp_path / "inner.zip", [("other/1", b"no")]).read_bytes()
    archive = tar(tmp_path / "a.tar", [("set/1", b"one"), ("set/inner.zip", inner)], "w")
    unpack(archive, tmp_path / "out", "set", MOST)
    assert below(tmp_path / "out") == {"1": b"one", "inner.zip": inner}
