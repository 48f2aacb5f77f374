"""Data sets on the command line: which there are, and getting them from a server."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from fileserver import file_server
from image_sets import cifar10_python, idx, lists

from engine import filesystems, registry
from engine.errors import FAILED, OK, USAGE, DataError
from lthtui import datalist, datasources, getting
from lthtui.datasources import SOURCES, Remote, Source

SPLITS = ("train", "val", "trainval", "test")
WHOLE = [name for name, one in SOURCES.items() if not one.manual and not one.about]


@pytest.fixture
def server():
    with file_server() as found:
        yield found


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The folder of all data sets, below the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def publish(server, monkeypatch):
    """Publish files of a data set instead of the real ones: target, content, inner folder."""

    def publish(name, *files, **how):
        remotes = []
        for number, (target, content, inner) in enumerate(files):
            url = server.put(f"/{number}/{Path(target).name}.file", content, **how)
            md5 = hashlib.md5(content).hexdigest()
            remotes.append(Remote(url, f"md5:{md5}", len(content), target, inner))
        old = SOURCES[name]
        source = Source(old.classes, old.shape, old.images, tuple(remotes), manual=old.manual)
        monkeypatch.setitem(SOURCES, name, source)
        return source

    return publish


def packed(folder, inner):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.add(folder, inner)
    return out.getvalue()


def zipped(folder, inner):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"{inner}/{path.relative_to(folder)}")
    return out.getvalue()


def cifar(tmp_path):
    """What is published as CIFAR-10: few images, in the layout of the archive."""
    folder = cifar10_python(tmp_path / "published")
    return "cifar-10-batches-py", packed(folder, "cifar-10-batches-py"), "cifar-10-batches-py"


def test_every_set_is_listed_with_what_it_is(data, command):
    code, out, said = command("data", "list", "--json")
    found = {one["name"]: one for one in json.loads(out)}
    assert code == OK and not said
    assert {*registry.names("datasets"), "cifar10_2", "cifar10_c"} == {*found}
    assert [name for name, one in found.items() if one["here"]] == ["digits"]
    assert found["digits"]["train"] == 1000 and found["digits"]["test"] == 797
    eurosat = found["eurosat"]
    assert (eurosat["classes"], eurosat["channels"], eurosat["size"]) == (10, 3, 64)
    assert eurosat["bytes"] == 94_658_721 + 8327 + 5556 + 13_883 + 541_765
    assert eurosat["urls"][0].endswith("/EuroSAT_RGB.zip") and eurosat["licence"] == "MIT"
    assert not found["cifar10_c"]["choice"] and found["isic2018"]["by_hand"]
    assert found["npz"]["classes"] is None
    assert all(one["about"] for one in found.values())


def test_the_list_fits_into_80_columns_and_says_what_is_here(data, command):
    (data / "mnist").mkdir(parents=True)
    idx(data / "mnist")
    (data / "eurosat/imgs").mkdir(parents=True)
    code, out, said = command("data", "list")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines()[::2] if " " in line)
    assert code == OK
    assert all(len(line) <= 80 for line in out.splitlines()[::2])
    assert lines["mnist"].split() == "here 10 classes 28 px x 1 120 + 30".split()
    assert lines["eurosat"].startswith("part") and lines["eurosat"].endswith("get 95.2 MB")
    assert "eurosat is incomplete: " in said and "looked for trainval.txt" in said


def test_a_set_is_downloaded_unpacked_and_can_be_read(data, tmp_path, command, publish):
    publish("cifar10", cifar(tmp_path))
    code, out, said = command("data", "get", "cifar10")
    assert (code, out) == (OK, "data/cifar-10-batches-py\n")
    assert "100%" in said and "unpacking" in said and "cifar10 is in data" in said
    assert len([*(data / "cifar-10-batches-py").iterdir()]) == 6
    assert [path.name for path in (data / ".downloads").iterdir()] == ["cifar10.lock"]
    code, out, said = command("data", "get", "cifar10", "--json")
    report = json.loads(out)
    assert code == OK and report["put"] == [] and report["train"] == 200


def test_a_set_of_several_files_appears_whole(data, tmp_path, command, publish, server):
    made = tmp_path / "published"
    lists(made, 10)
    files = [(f"eurosat/{name}.txt", (made / f"{name}.txt").read_bytes(), None) for name in SPLITS]
    images = "eurosat/imgs", zipped(made / "imgs", "EuroSAT_RGB"), "EuroSAT_RGB"
    publish("eurosat", images, *files)
    server.ways["/3/trainval.txt.file"].status = [404]
    code, out, said = command("data", "get", "eurosat", "--root", "elsewhere")
    assert code == FAILED and not out and "404" in said
    asked = len(server.asked)
    code, out, _ = command("data", "get", "eurosat", "--root", "elsewhere", "--json")
    assert code == OK and json.loads(out)["here"]
    assert json.loads(out)["put"] == [
        "elsewhere/eurosat/trainval.txt",
        "elsewhere/eurosat/test.txt",
    ]
    assert len(server.asked) == asked + 2


def test_a_download_that_was_cut_off_goes_on_in_the_next_command(
    data, tmp_path, command, publish, server, monkeypatch
):
    monkeypatch.setattr("lthtui.downloads.TRIES", 1)
    name, content, inner = cifar(tmp_path)
    publish("cifar10", (name, content, inner), cuts=[len(content) // 2, 0])
    code, _, said = command("data", "get", "cifar10")
    assert code == FAILED and "the same command goes on from there" in said
    code, _, _ = command("data", "get", "cifar10")
    assert code == OK
    assert server.asked[-1][1] == f"bytes={len(content) // 2}-"


def test_pieces_of_two_versions_are_not_taken_for_the_file(
    data, tmp_path, command, publish, server
):
    name, content, inner = cifar(tmp_path)
    publish("cifar10", (name, content, inner), tags=False)
    part = data / ".downloads/cifar10/cifar-10-batches-py.file.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    code, _, said = command("data", "get", "cifar10")
    assert code == OK and "does not fit the rest" in said
    assert [wanted for _, wanted in server.asked] == ["bytes=1000-", ""]


def test_what_is_not_as_published_is_refused(data, tmp_path, command, publish, server):
    name, content, inner = cifar(tmp_path)
    publish("cifar10", (name, content, inner))
    server.files["/0/cifar-10-batches-py.file"] = content[:-1] + b"x"
    code, out, said = command("data", "get", "cifar10")
    assert code == FAILED and not out
    assert "its md5 is" in said and hashlib.md5(content).hexdigest() in said
    assert not [*data.glob("cifar*")]
    server.files["/0/cifar-10-batches-py.file"] = content
    assert command("data", "get", "cifar10")[0] == OK


def test_a_hostile_archive_leaves_nothing_in_place(data, tmp_path, command, publish):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("cifar-10-batches-py/data_batch_1"))
        archive.addfile(tarfile.TarInfo("cifar-10-batches-py/../../../\x1b[31mowned"))
    publish("cifar10", ("cifar-10-batches-py", out.getvalue(), "cifar-10-batches-py"))
    code, _, said = command("data", "get", "cifar10")
    assert code == FAILED and "leads out of it" in said and "\x1b" not in said
    assert not [*data.glob("cifar*")] and not [*tmp_path.rglob("*owned*")]


def test_an_archive_that_was_put_there_by_hand_is_taken(data, tmp_path, command, publish, server):
    name, content, inner = cifar(tmp_path)
    publish("cifar10", (name, content, inner))
    by_hand = data / ".downloads/cifar10/cifar-10-batches-py.file"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(content + b"x")
    code, _, said = command("data", "get", "cifar10")
    assert code == FAILED and "remove the file" in said and by_hand.exists()
    by_hand.write_bytes(content)
    assert command("data", "get", "cifar10")[0] == OK
    assert not server.asked


def test_two_do_not_get_the_same_set_at_once(data, tmp_path, command, publish, server):
    publish("cifar10", cifar(tmp_path))
    (data / ".downloads").mkdir(parents=True)
    with filesystems.locked(data / ".downloads/cifar10.lock"):
        code, _, said = command("data", "get", "cifar10")
    assert code == USAGE and "another `lthtui data get cifar10` is at work in data" in said
    assert not server.asked


def test_a_disk_without_room_is_told_before_anything_is_downloaded(
    data, tmp_path, command, publish, server, monkeypatch
):
    publish("cifar10", cifar(tmp_path))
    small = filesystems.FileSystem(device=0, name="small", size=9, free=9, local=True)
    monkeypatch.setattr(filesystems, "of", lambda folder: small)
    code, _, said = command("data", "get", "cifar10")
    assert code == USAGE and "has 9 B free" in said and not server.asked


def test_a_folder_that_nothing_may_be_written_to_is_told_in_a_line(data, command):
    data.write_text("no folder")
    code, _, said = command("data", "get", "cifar10")
    assert code == FAILED and said.startswith("lthtui: Not a directory: data/.downloads")
    assert len(said.splitlines()) == 1


def test_what_has_to_be_got_by_hand_is_said_after_what_can_be_downloaded(
    data, tmp_path, command, publish
):
    lists(tmp_path / "published", 7)
    publish(
        "isic2018",
        *(
            (f"isic2018/{name}.txt", (tmp_path / f"published/{name}.txt").read_bytes(), None)
            for name in SPLITS
        ),
    )
    code, out, said = command("data", "get", "isic2018")
    assert code == USAGE and not out
    assert (data / "isic2018/trainval.txt").exists()
    assert "Download ISIC2018_Task3_Training_Input.zip" in said
    (tmp_path / "published/imgs").rename(data / "isic2018/imgs")
    assert command("data", "get", "isic2018")[0] == OK


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("digits", OK, "is there already"),
        ("imagenet", USAGE, "https://www.image-net.org/download.php"),
        ("image_folder", USAGE, "train/CLASS/**"),
        ("cifr10", USAGE, "did you mean cifar10?"),
        ("\x1b[31m", USAGE, r"no data set '\x1b[31m'"),
    ],
)
def test_where_nothing_can_be_downloaded_it_says_what_to_do(data, command, name, code, words):
    found, out, said = command("data", "get", name)
    assert (found, out) == (code, "") and words in said and "\x1b" not in said


def test_the_table_holds_nothing_that_could_not_be_verified():
    files = [file for source in SOURCES.values() for file in source.files]
    lengths = {"md5": 32, "sha256": 64, "git": 40}
    for file in files:
        kind, _, value = file.checksum.partition(":")
        assert len(value) == lengths[kind] and int(value, 16)
        assert file.size is not None or kind == "git"
        assert file.url.startswith(("https://", "http://"))
        target = Path(file.target)
        assert not target.is_absolute() and ".." not in target.parts
    assert all(
        len({file.target for file in one.files}) == len(one.files) for one in SOURCES.values()
    )


@pytest.mark.parametrize("name", WHOLE)
def test_who_lacks_a_set_that_can_be_downloaded_is_told_how(name, tmp_path):
    with pytest.raises(DataError, match=f"`lthtui data get {name}`"):
        datalist.described(name, tmp_path)


def test_git_names_blobs_by_their_content(tmp_path):
    (tmp_path / "blob").write_bytes(b"what is up, doc?")  # the example of git's own book
    getting._verify(tmp_path / "blob", "git:bd9dbf5aae1a3862dd1526723246b20206e5fc37")
    assert datasources.SOURCES["cifar10_2"].files[0].checksum.startswith("git:")
