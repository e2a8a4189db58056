"""One file from a server, gone on with where it was cut, under its name only when it is whole."""

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_utils.errors import DataError

if TYPE_CHECKING:
    from requests import Response

#: Seconds to wait for a connection, and between two arrivals of bytes.
TIMEOUT = (10.0, 60.0)
#: How often in a row it may fail without a new byte.
TRIES = 5
#: Seconds before the second try; each later pause is longer by as much.
PAUSE = 2.0
_CHUNK = 1 << 16
_KINDS = {".gz": "a gzip archive", ".zip": "a zip archive"}


def download(url: str, path: Path, checksum: str = "") -> None:
    """Fetch a file. What has arrived waits in `NAME.part` for the next call.

    Args:
        url: where it is.
        path: where it shall be; its folder exists.
        checksum: such as "md5:9f1b..."; without one, what has arrived is gone on with only if the server can say
            that the file is still the same.

    Raises:
        DataError: the server refuses, fails again and again, or gives another file.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    coming = _Coming(path, checksum)
    try:
        pooch.retrieve(url, checksum or None, path.name, path.parent, downloader=coming)
    except DataError:
        raise
    except ValueError as error:
        coming.forget()
        raise DataError(
            f"{path.name} is not the file that was expected: {error} Fetch it again; if that changes nothing, its "
            f"owner has changed it: ask there, or delete its line in checksums.json, if it has one."
        ) from error
    coming.forget()


class _Coming:
    """What has arrived of a file, in `NAME.part`; called by pooch, which would delete it where it is cut."""

    def __init__(self, path: Path, checksum: str) -> None:
        self.path, self.checksum = path, checksum
        self.part = path.with_name(f"{path.name}.part")
        self.tag = path.with_name(f"{path.name}.part.tag")  # what the server calls this version of the file

    def __call__(self, url: str, output: str, _: object) -> None:
        import requests

        most, left = self._size(), TRIES
        while True:
            try:
                self._request(url)
                break
            except requests.RequestException as error:
                most, left = (self._size(), TRIES) if self._size() > most else (most, left - 1)
                self._give_up(error, url, left)
                time.sleep(PAUSE * (TRIES - left))
        try:
            Path(output).unlink()
            Path(output).hardlink_to(self.part)  # it is still here if pooch is stopped while it works out the checksum
        except OSError:  # a disk without links
            self.part.replace(output)

    def forget(self) -> None:
        """Leave nothing but the file itself, if that has its name by now."""
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _request(self, url: str) -> None:
        """Ask once, for what is missing, and write what comes."""
        import requests

        have, tag = self._size(), self.tag.read_text(encoding="utf-8") if self.tag.exists() else ""
        wanted = {"Accept-Encoding": "identity"}
        if have and (tag or self.checksum):
            wanted |= {"Range": f"bytes={have}-"} | ({"If-Range": tag} if tag else {})
        with requests.get(url, headers=wanted, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:  # nothing is left to ask for, or the file is another by now
                if answer.headers.get("Content-Range") == f"bytes */{have}":
                    return
                self._begin_anew("the server's file is shorter than what has arrived")
            answer.raise_for_status()
            goes_on = answer.status_code == 206
            if goes_on and (_first(answer) != have or _tag(answer) not in ("", tag)):
                self._begin_anew("the server goes on with another file, or elsewhere")
            self._write(answer, have if goes_on else 0)

    def _begin_anew(self, why: str) -> None:
        import requests

        self.forget()
        raise requests.ConnectionError(why)

    def _write(self, answer: "Response", have: int) -> None:
        import requests
        from tqdm import tqdm

        left = answer.headers.get("Content-Length", "")
        total = have + int(left) if left.isdigit() else None
        bar = tqdm(total=total, initial=have, desc=self.path.name, unit="B", unit_scale=True, leave=False, disable=None)
        with open(self.part, "ab" if have else "wb") as file, bar:
            if not have:  # only now: an older part under a newer tag would be gone on with
                self.tag.write_text(_tag(answer), encoding="utf-8")
            for chunk in answer.iter_content(_CHUNK):
                if not file.tell():
                    self._look(chunk, answer.url)
                bar.update(file.write(chunk))
        if not self._size():
            raise requests.ConnectionError("it gave nothing")

    def _look(self, head: bytes, url: str) -> None:
        """Refuse a web page, and an archive of another kind, before gigabytes of it have come."""
        expected = _KINDS.get(self.path.suffix, "text")
        found = "a web page" if head.lstrip()[:1] == b"<" else "text"
        found = {b"\x1f\x8b": _KINDS[".gz"], b"PK": _KINDS[".zip"]}.get(head[:2], found)
        if found != expected:
            raise DataError(
                f"{url} gave {found} for {self.path.name}. Expected {expected}. It may have moved: download it in a "
                f"browser from the collection's page, as {self.path}, and give the same command again."
            )

    def _give_up(self, error: Exception, url: str, left: int) -> None:
        """Raise what a user can mend, unless another try may help."""
        status = getattr(getattr(error, "response", None), "status_code", 0)
        if 400 <= status < 500 and status not in (408, 429):
            why = (
                "which only those get who have signed in or agreed" if status in (401, 403) else "which may have moved"
            )
            raise DataError(
                f"{url} answered {status}. Expected {self.path.name}, {why}. Download it in a browser from the "
                f"collection's page, as {self.path}, and give the same command again."
            ) from error
        if not left:
            raise DataError(
                f"{self.path.name} failed {TRIES} times in a row ({error}); {self._size():,} bytes are here. "
                f"Expected a server that answers. Give the same command again later: it goes on where it stopped."
            ) from error


def _tag(answer: "Response") -> str:
    """What tells this version of a file from others: a strong ETag, or the date; nothing where there is neither."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")


def _first(answer: "Response") -> int | None:
    """The place of the first byte that comes, from `Content-Range: bytes 5-9/10`."""
    first = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else None
