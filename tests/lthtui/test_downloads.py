"""Downloads from a server that is cut off, changes its files, refuses, redirects and lies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from disks import mounted
from fileserver import file_server

from lthtui import downloads
from lthtui.downloads import DownloadError, download

CONTENT = os.urandom(300_000)
OTHER = os.urandom(300_000)


@pytest.fixture
def server():
    with file_server() as found:
        yield found


@pytest.fixture
def part(tmp_path):
    return tmp_path / "file.part"


class Told:
    """What was said and told, and how long was waited."""

    def __init__(self):
        self.lines, self.seen, self.waits = [], [], []

    def args(self):
        return lambda *where: self.seen.append(where), self.lines.append, self.waits.append


def fetch(url, part, size=300_000, limit=300_000):
    told = Told()
    download(url, part, size, limit, *told.args())
    return told


def test_a_file_comes_whole_and_how_far_it_is_gets_told(server, part):
    told = fetch(server.put("/file", CONTENT), part)
    assert part.read_bytes() == CONTENT
    assert told.seen[0] == (0, 300_000) and told.seen[-1] == (300_000, 300_000)
    assert server.asked == [("/file", "")]
    assert server.encodings == {"identity"}  # or archives might come unpacked


@pytest.mark.parametrize("reset", [False, True])
def test_what_was_cut_off_goes_on_where_it_was(server, part, reset):
    url = server.put("/file", CONTENT, cuts=[100_000, 50_000], reset=reset)
    told = fetch(url, part)
    assert part.read_bytes() == CONTENT
    begins = [int(wanted[6:-1] or 0) for _, wanted in server.asked[1:]]
    assert len(begins) == 2
    if not reset:  # a reset may overtake what was sent
        assert begins == [100_000, 150_000]
    why = "Connection reset by peer" if reset else "it ended after 100,000 of 300,000 bytes"
    assert len(told.lines) == 2
    assert told.lines[0].startswith(f"{url}: {why}; trying again in ")


def test_another_process_goes_on_where_one_was(server, part):
    url = server.put("/file", CONTENT, cuts=[100_000] + [0] * 9)
    with pytest.raises(DownloadError, match=r"100 kB are kept in .*goes on from there"):
        fetch(url, part)
    server.ways["/file"].cuts.clear()
    fetch(url, part)
    assert part.read_bytes() == CONTENT
    assert server.asked[-1] == ("/file", "bytes=100000-")


def test_a_process_that_was_killed_is_gone_on_from(server, part):
    url = server.put("/file", CONTENT, cuts=[200_000], pause=threading.Event())
    code = (
        "import sys; from pathlib import Path; from lthtui.downloads import download;"
        "download(sys.argv[1], Path(sys.argv[2]), 300_000, 300_000, print, print, lambda s: None)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, url, str(part)], stdout=subprocess.PIPE)
    with child:
        assert server.sent.wait(60)  # of its second try, which hangs
        child.kill()
    assert part.read_bytes() == CONTENT[:200_000]
    server.ways["/file"].pause.set()
    fetch(url, part)
    assert part.read_bytes() == CONTENT
    assert server.asked[-1] == ("/file", "bytes=200000-")


@pytest.mark.parametrize("tags", [True, False])
def test_a_file_that_changed_in_between_begins_anew(server, part, tags):
    url = server.put("/file", CONTENT, cuts=[100_000] + [0] * 9, tags=tags)
    with pytest.raises(DownloadError):
        fetch(url, part)
    server.put("/file", OTHER, tags=tags)
    fetch(url, part)
    joined = CONTENT[:100_000] + OTHER[100_000:]  # which only a checksum can tell
    assert part.read_bytes() == (OTHER if tags else joined)


def test_a_server_without_parts_sends_all_again(server, part):
    fetch(server.put("/file", CONTENT, cuts=[100_000], ranges=False), part)
    assert part.read_bytes() == CONTENT


def test_a_part_from_elsewhere_in_the_file_is_not_taken(server, part):
    url = server.put("/file", CONTENT, cuts=[100_000], shift=7)
    fetch(url, part, size=None)
    assert part.read_bytes() == CONTENT


def test_a_cut_is_noticed_where_the_server_does_not_say_how_long_a_file_is(server, part):
    fetch(server.put("/file", CONTENT, cuts=[100_000], length=False), part)
    assert part.read_bytes() == CONTENT


def test_a_part_that_is_longer_than_the_file_begins_anew(server, part):
    part.write_bytes(b"x" * 400_000)
    fetch(server.put("/file", CONTENT), part)
    assert part.read_bytes() == CONTENT


def test_a_whole_part_is_not_asked_for_again(server, part):
    part.write_bytes(CONTENT)
    fetch(server.put("/file", CONTENT), part)
    assert not server.asked


def test_where_no_size_is_known_a_whole_part_is_fetched_anew(server, part):
    part.write_bytes(CONTENT)
    fetch(server.put("/file", CONTENT), part, size=None)
    assert part.read_bytes() == CONTENT
    assert server.asked == [("/file", "bytes=300000-"), ("/file", "")]


def test_a_file_of_another_size_is_refused_before_it_comes(server, part):
    with pytest.raises(DownloadError, match="has 300,000 bytes, and 299,999 are published"):
        fetch(server.put("/file", CONTENT), part, size=299_999, limit=299_999)
    assert not part.exists()


@pytest.mark.parametrize("length", [True, False])
def test_no_more_is_taken_than_there_should_be(server, part, length):
    with pytest.raises(DownloadError, match="more than the 200,000 bytes"):
        fetch(server.put("/file", CONTENT, length=length), part, size=None, limit=200_000)
    assert part.stat().st_size <= 200_000


def test_what_is_not_there_is_not_tried_again(server, part):
    with pytest.raises(DownloadError, match=r"404 Not Found; is the address still right\?"):
        fetch(f"{server.address}/gone", part)
    assert len(server.asked) == 1


def test_what_may_pass_is_tried_again(server, part):
    told = fetch(server.put("/file", CONTENT, status=[503, 429]), part)
    assert part.read_bytes() == CONTENT
    assert [line.split("answers ")[1][:3] for line in told.lines] == ["503", "429"]


def test_nobody_is_asked_for_ever(server, part):
    told = Told()
    url = server.put("/file", CONTENT, status=[503] * 99)
    with pytest.raises(DownloadError, match="503 Service Unavailable"):
        download(url, part, 300_000, 300_000, *told.args())
    assert len(server.asked) == downloads.TRIES
    assert told.waits == [2, 4, 8]


def test_redirects_are_followed_unless_they_lead_in_a_circle(server, part):
    url = server.put("/first", b"", location=server.put("/file", CONTENT))
    fetch(url, part)
    assert part.read_bytes() == CONTENT
    url = server.put("/circle", b"", location="/circle")
    with pytest.raises(DownloadError, match="redirects"):
        fetch(url, part.with_name("other.part"))


def test_a_server_that_falls_silent_is_left(server, part, monkeypatch):
    monkeypatch.setattr(downloads, "PATIENCE", (20.0, 0.05))
    pause = threading.Event()
    with pytest.raises(DownloadError, match="[Tt]imed out"):
        fetch(server.put("/file", CONTENT, pause=pause), part)
    pause.set()
    assert part.stat().st_size < 300_000


def test_a_server_that_is_gone_is_told(part):
    with pytest.raises(DownloadError, match="refused"):
        fetch("http://127.0.0.1:9/file", part)


def test_on_a_full_disk_what_came_stays_and_is_gone_on_from(server, tmp_path):
    url = server.put("/file", CONTENT)
    with mounted(tmp_path / "disk", 1) as disk:
        part = disk.folder / "file.part"
        disk.fill(leave=200_000)
        with pytest.raises(OSError, match="No space left on device.*file.part"):
            fetch(url, part)
        assert 100_000 < part.stat().st_size < 200_000
        disk.empty()
        fetch(url, part)
        assert part.read_bytes() == CONTENT
