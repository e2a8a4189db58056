"""Fetching a collection, from a server in this process that does what servers do on a bad day."""

import hashlib
import io
import json
import random
import shutil
import sys
import tarfile
import threading
import types
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import filelock
import pytest

from cxr_utils.commands import fetch as command
from cxr_utils.data.fetching import download, fetch
from cxr_utils.data.fetching.collections import COLLECTIONS, Collection, File, collection
from cxr_utils.data.fetching.unpack import unpack
from cxr_utils.errors import DataError


class Handler(BaseHTTPRequestHandler):
    """Serves whole files, with ranges; what is in `server.plan` happens first, one a request."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server, name = self.server, self.path.split("/")[-1]
        asked = self.headers.get("Range", "")
        server.asked.append((name, asked))
        behaviour = server.plan.pop(0) if server.plan else "whole"
        getattr(self, behaviour.split()[0])(server.files.get(name), asked, *behaviour.split()[1:])

    do_POST = do_GET

    def head(self, status, length, **more):
        self.send_response(status)
        for key, value in {"Content-Length": length, "Accept_Ranges": "bytes", **more}.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()

    def whole(self, body, asked, cut=None, length=None, tag=None):
        if body is None:
            return self.head(404, 0)
        tag = {"none": {}}.get(self.server.tag, {"ETag": f'"{tag or self.server.tag}"'})
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if self.headers.get("If-Range", tag.get("ETag")) != tag.get("ETag"):
            start = 0  # another version by now: from its beginning
        if start and start >= len(body):
            return self.head(416, 0, Content_Range=f"bytes */{len(body)}")
        ranges = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        self.head(206 if start else 200, int(length or len(body) - start), **tag, **ranges)
        self.wfile.write(body[start : int(cut) if cut else None])

    def cut(self, body, asked, place):
        self.whole(body, asked, place)

    def stall(self, body, asked, place):
        self.whole(body, asked, place)
        self.server.done.wait(5)

    def shorter(self, body, asked, length):
        self.whole(body, asked, None, length)

    def status(self, body, asked, code):
        self.head(int(code), 0)

    def page(self, body, asked):
        text = b"\n<!DOCTYPE html><title>Sign in</title>"
        self.head(200, len(text), Content_Type="text/html")
        self.wfile.write(text)

    def no_range(self, body, asked):
        self.whole(body, "")

    def elsewhere(self, body, asked):
        self.head(206, 10, ETag=f'"{self.server.tag}"', Content_Range=f"bytes 0-9/{len(body)}")
        self.wfile.write(body[:10])

    def changed(self, body, asked):
        """Goes on, but with a newer file, which If-Range should have prevented."""
        self.server.tag = "newer"
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        self.head(206, len(body) - start, ETag='"newer"', Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.wfile.write(body[start:])

    def redirect(self, body, asked):
        self.head(302, 0, Location=f"http://127.0.0.1:{self.server.server_port}/elsewhere/{self.path.split('/')[-1]}")

    def answer(self, body, asked, text):
        self.head(200, len(text), Content_Type="application/json")
        self.wfile.write(text.encode())


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", (1.0, 0.3))
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.plan, server.asked, server.tag, server.done = {}, [], [], "first", threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.done.set()
    server.shutdown()
    thread.join()
    server.server_close()


def noise(seed, size=300_000):
    return random.Random(seed).randbytes(size)


def tarred(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return stream.getvalue()


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, body in members.items():
            file.writestr(name, body)
    return stream.getvalue()


PICTURE = noise(1)
ARCHIVES = {f"images_00{n}.tar.gz": tarred({f"images/0000000{n}_000.png": noise(n)}) for n in (1, 2)}
TABLE = b"Image Index,Finding Labels\n00000001_000.png,Mass\n"


def nih(*parts):
    """Two archives with checksums, and a table without."""
    files = [File(name, "", len(body), hashlib.md5(body).hexdigest()) for name, body in ARCHIVES.items()]
    chosen = tuple(files[n - 1] for n in parts or (1, 2))
    return Collection("toy", "", "", "", "", 0, files=(File("table.csv", "", len(TABLE)),), parts=chosen)


def zip_only():
    """One archive whose owner publishes no checksum."""
    return Collection("toy", "", "", "", "", 0, files=(File("Set.zip", "", 1),))


@pytest.fixture
def toy(server):
    server.files |= {**ARCHIVES, "table.csv": TABLE, "Set.zip": zipped({"Set/CXR_png/1.png": PICTURE})}
    return server


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


WHOLE = ["checksums.json", "images_001/images/00000001_000.png", "images_002/images/00000002_000.png", "table.csv"]


def test_a_collection_comes_whole_and_is_not_asked_for_again(toy, tmp_path, capsys):
    assert fetch.fetch(nih(), tmp_path / "toy", toy.url) == tmp_path / "toy"
    assert names(tmp_path / "toy") == WHOLE
    assert (tmp_path / "toy" / WHOLE[1]).read_bytes() == PICTURE
    assert (tmp_path / "toy" / "table.csv").read_bytes() == TABLE
    kept = json.loads((tmp_path / "toy" / "checksums.json").read_text())
    assert kept == {"table.csv": f"sha256:{hashlib.sha256(TABLE).hexdigest()}"}
    assert "table.csv: its owner publishes no checksum" in capsys.readouterr().out
    toy.asked.clear()
    fetch.fetch(nih(), tmp_path / "toy", toy.url)
    assert not toy.asked


def test_parts_come_one_by_one(toy, tmp_path):
    fetch.fetch(nih(2), tmp_path / "toy", toy.url)
    assert names(tmp_path / "toy") == [WHOLE[0], WHOLE[2], WHOLE[3]]
    fetch.fetch(nih(1), tmp_path / "toy", toy.url)
    assert names(tmp_path / "toy") == WHOLE
    assert [name for name, _ in toy.asked] == ["table.csv", "images_002.tar.gz", "images_001.tar.gz"]


@pytest.mark.parametrize(
    ("plan", "asked"),
    [
        pytest.param(["cut 200000"], [0, 196608], id="cut"),
        pytest.param(["cut 70000", "cut 150000"], [0, 65536, 131072], id="cut twice"),
        pytest.param(["stall 200000"], [0, 196608], id="stalls"),
        pytest.param(["status 503", "status 429", "status 500"], [0, 0, 0, 0], id="busy, then fine"),
        pytest.param(["cut 200000", "no_range"], [0, 196608], id="without ranges it begins anew"),
        pytest.param(["cut 200000", "elsewhere"], [0, 196608, 0], id="goes on elsewhere"),
        pytest.param(["cut 200000", "changed"], [0, 196608, 0], id="goes on with another file"),
        pytest.param(["status 200"], [0, 0], id="gives nothing"),
        pytest.param(["redirect", "redirect"], [0, 0, 0], id="redirects"),
        pytest.param(["cut 200000", "redirect"], [0, 196608, 196608], id="redirects what is left"),
    ],
)
def test_what_was_cut_is_gone_on_with(toy, tmp_path, plan, asked):
    body = ARCHIVES["images_001.tar.gz"]
    toy.plan[:] = plan
    path = tmp_path / "images_001.tar.gz"
    download.download(f"{toy.url}/images_001.tar.gz", path, f"md5:{hashlib.md5(body).hexdigest()}")
    assert path.read_bytes() == body and names(tmp_path) == ["images_001.tar.gz"]
    assert [int(places.removeprefix("bytes=").rstrip("-") or 0) for _, places in toy.asked] == asked


def places(server):
    return [int(places.removeprefix("bytes=").rstrip("-") or 0) for _, places in server.asked]


def test_a_file_that_changed_after_the_cut_comes_anew(toy, tmp_path, monkeypatch):
    newer = zipped({"Set/CXR_png/1.png": noise(9)})
    before = download._Coming._give_up

    def change(self, *arguments):
        toy.files["Set.zip"], toy.tag = newer, "second"
        return before(self, *arguments)

    monkeypatch.setattr(download._Coming, "_give_up", change)
    toy.plan[:] = ["cut 200000"]
    download.download(f"{toy.url}/Set.zip", tmp_path / "Set.zip")
    assert (tmp_path / "Set.zip").read_bytes() == newer and places(toy) == [0, 196608]


@pytest.mark.parametrize(("checksum", "asked"), [(False, [0, 0]), (True, [0, 196608])])
def test_what_no_server_can_vouch_for_is_gone_on_with_only_under_a_checksum(toy, tmp_path, checksum, asked):
    toy.tag, toy.plan[:] = "none", ["cut 200000"]
    known = f"md5:{hashlib.md5(toy.files['Set.zip']).hexdigest()}" if checksum else ""
    download.download(f"{toy.url}/Set.zip", tmp_path / "Set.zip", known)
    assert (tmp_path / "Set.zip").read_bytes() == toy.files["Set.zip"] and places(toy) == asked


def test_a_server_that_fails_again_and_again_is_left_and_gone_on_with_another_day(toy, tmp_path):
    toy.plan[:] = ["cut 200000"] + ["cut 0"] * download.TRIES
    with pytest.raises(DataError, match=r"failed 5 times in a row .* 196,608 bytes are here"):
        fetch.fetch(zip_only(), tmp_path / "toy", toy.url)
    assert names(tmp_path / "toy") == ["Set.zip.part", "Set.zip.part.tag"]
    toy.asked.clear()
    fetch.fetch(zip_only(), tmp_path / "toy", toy.url)
    assert places(toy) == [196608]
    assert (tmp_path / "toy" / "Set" / "Set" / "CXR_png" / "1.png").read_bytes() == PICTURE


def test_a_server_that_is_not_there_is_said(tmp_path, server):
    server.server_close()
    with pytest.raises(DataError, match="failed 5 times in a row"):
        download.download(f"{server.url}/x.zip", tmp_path / "x.zip")


@pytest.mark.parametrize("more", [b"", b"too much"])
def test_what_was_whole_when_it_was_stopped_is_not_fetched_again(toy, tmp_path, more):
    (tmp_path / "Set.zip.part").write_bytes(toy.files["Set.zip"] + more)
    (tmp_path / "Set.zip.part.tag").write_text('"first"')
    download.download(f"{toy.url}/Set.zip", tmp_path / "Set.zip")
    assert (tmp_path / "Set.zip").read_bytes() == toy.files["Set.zip"]
    assert len(toy.asked) == (2 if more else 1)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("status 401", "answered 401. Expected table.csv, which only those get who have signed in"),
        ("status 403", "answered 403. Expected table.csv, which only those get who have signed in"),
        ("status 404", "answered 404. Expected table.csv, which may have moved"),
        ("page", "gave a web page for table.csv. Expected text"),
    ],
)
def test_a_refusal_is_said_at_once_with_the_way_out(toy, tmp_path, plan, said):
    toy.plan[:] = [plan]
    with pytest.raises(DataError, match=said) as refused:
        fetch.fetch(nih(), tmp_path / "toy", toy.url)
    assert len(toy.asked) == 1 and not (tmp_path / "toy" / "table.csv").exists()
    (tmp_path / "toy" / "table.csv").write_bytes(TABLE)  # as the message advises
    assert str(tmp_path / "toy" / "table.csv") in str(refused.value)
    fetch.fetch(nih(), tmp_path / "toy", toy.url)


@pytest.mark.parametrize(("sent", "found"), [(TABLE, "text"), (ARCHIVES["images_001.tar.gz"], "a gzip archive")])
def test_another_kind_of_file_is_refused(toy, tmp_path, sent, found):
    toy.files["Set.zip"] = sent
    with pytest.raises(DataError, match=f"gave {found} for Set.zip. Expected a zip archive"):
        fetch.fetch(zip_only(), tmp_path / "toy", toy.url)


@pytest.mark.parametrize("plan", ["whole", "shorter 150000"])
def test_another_file_than_its_owner_published_is_thrown_away(toy, tmp_path, plan):
    if plan == "whole":
        toy.files["images_001.tar.gz"] = ARCHIVES["images_002.tar.gz"]
    toy.plan[:] = ["whole", plan]
    with pytest.raises(DataError, match="images_001.tar.gz is not the file that was expected: MD5 hash"):
        fetch.fetch(nih(1), tmp_path / "toy", toy.url)
    assert names(tmp_path / "toy") == ["checksums.json", "table.csv"]


def test_a_checksum_kept_at_first_sight_is_asked_at_the_second(toy, tmp_path):
    fetch.fetch(zip_only(), tmp_path / "toy", toy.url)
    shutil.rmtree(tmp_path / "toy" / "Set")
    toy.files["Set.zip"] = zipped({"Set/CXR_png/1.png": noise(9)})
    with pytest.raises(DataError, match=r"SHA256 hash .* delete its line in checksums.json"):
        fetch.fetch(zip_only(), tmp_path / "toy", toy.url)
    (tmp_path / "toy" / "checksums.json").write_text("{}")
    fetch.fetch(zip_only(), tmp_path / "toy", toy.url)


def test_half_an_archive_of_which_no_checksum_is_known_is_not_unpacked(toy, tmp_path):
    toy.plan[:] = ["shorter 150000"]
    with pytest.raises(DataError, match=r"Set.zip cannot be unpacked \(File is not a zip file\)"):
        fetch.fetch(zip_only(), tmp_path / "toy", toy.url)
    assert names(tmp_path / "toy") == []
    fetch.fetch(zip_only(), tmp_path / "toy", toy.url)
    assert (tmp_path / "toy" / "Set" / "Set" / "CXR_png" / "1.png").read_bytes() == PICTURE


def bad_tar(path, name, kind=tarfile.REGTYPE):
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("good.png"), io.BytesIO(b""))
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "good.png" if kind == tarfile.LNKTYPE else "/etc/hostname"
        tar.addfile(info)


def bad_zip(path, name, mode=0o100644):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("good.png", b"")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        file.writestr(info, b"/etc/hostname")


@pytest.mark.parametrize("name", ["../out.png", "a/../../out.png", "/out.png", "C:out.png", "..\\out.png"])
@pytest.mark.parametrize(("suffix", "make"), [(".tar.gz", bad_tar), (".zip", bad_zip)])
def test_no_member_leads_out_of_its_folder(tmp_path, name, suffix, make):
    make(tmp_path / f"x{suffix}", name)
    with pytest.raises(DataError, match="leads out of its folder"):
        unpack(tmp_path / f"x{suffix}", tmp_path / "in" / "x")
    assert names(tmp_path) == [f"x{suffix}"] and not (tmp_path / "in" / "x").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_tar_holds_files_only(tmp_path, kind):
    bad_tar(tmp_path / "x.tar.gz", "link.png", kind)
    with pytest.raises(DataError, match="no plain file"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "x")
    assert names(tmp_path) == ["x.tar.gz"]


def test_a_zip_holds_files_only(tmp_path):
    bad_zip(tmp_path / "x.zip", "link.png", 0o120777)
    with pytest.raises(DataError, match="no plain file"):
        unpack(tmp_path / "x.zip", tmp_path / "x")
    assert names(tmp_path) == ["x.zip"]


def test_it_is_stopped_while_the_checksum_is_worked_out(toy, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    known = f"md5:{hashlib.md5(ARCHIVES['images_001.tar.gz']).hexdigest()}"
    path = tmp_path / "images_001.tar.gz"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("pooch.core.hash_matches", stop)
        download.download(f"{toy.url}/{path.name}", path, known)
    assert not path.exists()
    download.download(f"{toy.url}/{path.name}", path, known)
    assert names(tmp_path) == [path.name] and places(toy) == [0, len(ARCHIVES[path.name])]


def test_a_disk_without_links(toy, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    download.download(f"{toy.url}/Set.zip", tmp_path / "Set.zip")
    assert (tmp_path / "Set.zip").read_bytes() == toy.files["Set.zip"] and names(tmp_path) == ["Set.zip"]


def test_what_a_killed_process_had_unpacked_is_not_taken_for_whole(toy, tmp_path, monkeypatch):
    left = tmp_path / "toy" / ".images_001.unpacking"
    left.mkdir(parents=True)
    (left / "half.png").write_bytes(b"half")
    fetch.fetch(nih(), tmp_path / "toy", toy.url)
    assert names(tmp_path / "toy") == WHOLE
    shutil.rmtree(tmp_path / "toy" / "images_001")

    def stop(archive, folder):
        (folder.with_name(f".{folder.name}.unpacking")).mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fetch, "unpack", stop)
        fetch.fetch(nih(), tmp_path / "toy", toy.url)
    toy.asked.clear()
    fetch.fetch(nih(), tmp_path / "toy", toy.url)  # the archive is here, and whole
    assert names(tmp_path / "toy") == WHOLE and not toy.asked


def test_the_disk_is_asked_before_anything_is_fetched(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: types.SimpleNamespace(free=12e9))
    twelve = collection("nih")
    with pytest.raises(DataError, match=r"has 12.0 GB free. Expected 51.5 GB, with room to unpack"):
        fetch.fetch(twelve, tmp_path / "nih", toy.url)
    assert not toy.asked and not (tmp_path / "nih").exists()
    (tmp_path / "nih").mkdir()
    with open(tmp_path / "nih" / "images_001.tar.gz.part", "wb") as part:
        part.truncate(1_000_000_000)  # counts as fetched, and takes no room
    with pytest.raises(DataError, match=r"Expected 50.5 GB"):
        fetch.fetch(twelve, tmp_path / "nih", toy.url)


def test_two_at_once_do_not_write_into_each_other(toy, tmp_path):
    with filelock.FileLock(tmp_path / ".toy.lock"), pytest.raises(DataError, match="filled by another process"):
        fetch.fetch(nih(), tmp_path / "toy", toy.url)


def test_a_place_that_cannot_be_written_is_said(toy, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        fetch.fetch(nih(), tmp_path / "file" / "toy", toy.url)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "checksums.json").write_text("[half")
    with pytest.raises(DataError, match="is no record"):
        fetch.fetch(nih(), tmp_path / "toy", toy.url)


@pytest.fixture
def kaggle(toy, monkeypatch, tmp_path):
    """The real kagglehub, whose Kaggle is the server here."""
    from kagglesdk import kaggle_env

    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLEHUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "nobody"))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, toy.url)
    toy.files["DownloadDataset"] = zipped({"sample/images/1.png": PICTURE, "sample_labels.csv": TABLE})
    return toy


VERSION = 'answer {"currentVersionNumber":4}'
SAMPLE = Collection("toy", "", "", "", "", 1, kaggle="nih-chest-xrays/sample")


def test_kaggle_fills_the_folder_and_leaves_nothing_beside(kaggle, tmp_path):
    (tmp_path / "toy").mkdir()  # empty: as good as none
    kaggle.plan[:] = [VERSION]
    fetch.fetch(SAMPLE, tmp_path / "toy")
    assert names(tmp_path / "toy") == ["checksums.json", "sample/images/1.png", "sample_labels.csv"]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["toy"]
    kaggle.asked.clear()
    fetch.fetch(SAMPLE, tmp_path / "toy")
    assert not kaggle.asked


def test_kaggle_is_stopped_and_gone_on_with(kaggle, tmp_path):
    kaggle.plan[:] = [VERSION, "cut 200000"]
    with pytest.raises(DataError, match="Kaggle did not give nih-chest-xrays/sample"):
        fetch.fetch(SAMPLE, tmp_path / "toy")
    assert not (tmp_path / "toy").exists()
    (cut,) = (tmp_path / ".toy.kaggle").rglob("*.archive")
    with open(cut, "r+b") as archive:
        archive.truncate(100_000)  # kagglehub writes by the megabyte: as if the picture were larger
        archive.seek(0)
        archive.write(kaggle.files["DownloadDataset"][:100_000])
    kaggle.plan[:] = [VERSION]
    fetch.fetch(SAMPLE, tmp_path / "toy")
    assert (tmp_path / "toy" / "sample" / "images" / "1.png").read_bytes() == PICTURE
    assert places(kaggle)[-1] == 100_000


@pytest.mark.parametrize("status", ["401", "403", "404"])
def test_kaggle_refuses(kaggle, tmp_path, status):
    kaggle.plan[:] = [f"status {status}"] * 9
    with pytest.raises(DataError, match=rf"{status} .*make a token at .* and set KAGGLE_API_TOKEN"):
        fetch.fetch(SAMPLE, tmp_path / "toy")


def test_a_folder_with_something_else_is_not_filled_from_kaggle(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "own.png").write_bytes(b"")
    with pytest.raises(DataError, match="holds something else"):
        fetch.fetch(SAMPLE, tmp_path / "toy")


def test_where_kaggle_is_at_home_its_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", "before")
    monkeypatch.setitem(sys.modules, "kagglehub", types.SimpleNamespace(dataset_download=lambda _: "/kaggle/input/x"))
    assert fetch.fetch(SAMPLE, tmp_path / "toy") == Path("/kaggle/input/x")
    assert fetch.os.environ["KAGGLEHUB_CACHE"] == "before"
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(DataError, match="Do: pip install kagglehub"):
        fetch.fetch(SAMPLE, tmp_path / "toy")


def test_the_list_is_sound():
    for name, each in COLLECTIONS.items():
        files = (*each.files, *each.parts)
        assert name == each.name and each.licence and each.cite and each.page.startswith("https://")
        assert bool(files) + bool(each.kaggle) + bool(each.by_hand) == 1, name
        assert not files or each.size == sum(file.size for file in files), name
        assert all(file.url.startswith("https://") and len(file.md5) in (0, 32) for file in files)
    nih = COLLECTIONS["nih"].parts
    assert len({file.md5 for file in nih}) == len({file.url for file in nih}) == 12 and all(file.md5 for file in nih)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("chexray",), "'chexray' is no known collection. Expected one of nih, nih-sample"),
        (("nih", (3, 13)), "--part 13 was asked of nih. Expected 1 to 12"),
        (("nih", (0,)), "--part 0 was asked of nih"),
        (("kermany", (1,)), "Expected none, as kermany has no parts"),
    ],
)
def test_what_there_is_not_is_said(asked, said):
    with pytest.raises(DataError, match=said):
        collection(*asked)


def test_the_command_lists_what_there_is(cxr):
    status, out, _ = cxr("data", "fetch")
    assert status == 0 and [line.split()[0] for line in out.splitlines()] == list(COLLECTIONS)
    assert "45.1 GB  in 12 parts" in out and "CC BY 4.0" in out


@pytest.mark.parametrize("name", [name for name, each in COLLECTIONS.items() if each.by_hand])
def test_the_command_sends_to_whoever_must_be_asked(cxr, name):
    status, out, _ = cxr("data", "fetch", name, "--yes")
    assert status == 1 and COLLECTIONS[name].page in out and COLLECTIONS[name].by_hand in out


def test_the_command_shows_licence_and_size_then_asks(cxr, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(command.typer, "confirm", lambda text, abort: seen.append(text))
    monkeypatch.setattr(fetch, "fetch", lambda chosen, folder: seen.append(chosen.parts) or folder)
    status, out, _ = cxr("data", "fetch", "nih", "--part", "12", "--part", "1", "--to", tmp_path)
    assert status == 0 and f"cxr data check {tmp_path}" in out
    assert "NIH ChestX-ray14: 4.9 GB\nlicence: free use; name the NIH Clinical Center" in out
    assert str(tmp_path) in seen[0] and [file.name for file in seen[1]] == ["images_001.tar.gz", "images_012.tar.gz"]
    assert cxr("data", "fetch", "nih", "--yes", "--to", tmp_path)[0] == 0 and len(seen) == 3


def test_the_command_is_not_agreed_with(cxr, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    monkeypatch.setattr(fetch, "fetch", lambda *_: pytest.fail("fetched"))
    status, _, err = cxr("data", "fetch", "nih", "--to", tmp_path)
    assert status == 1 and "Aborted" in err


def test_the_command_is_stopped(cxr, monkeypatch, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "fetch", stop)
    status, out, _ = cxr("data", "fetch", "nih", "--yes", "--to", tmp_path)
    assert status == 130 and "the same command goes on" in out
