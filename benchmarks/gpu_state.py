"""What goes on from one call of `benchmarks/gpu.py` to the next: one folder of four small files.

A machine that is lent for minutes forgets everything in between, and only little can be carried there: `results.json`
(figures), `lessons.zip` (finished lessons), `networks.zip` (trained networks, and those in training, as many as fit,
the smallest first) and `gpu.md`, the page as far as it goes.
"""

import json
import shutil
import tempfile
import zipfile
from pathlib import Path

from cxr_utils.cache import write_text
from cxr_utils.errors import CxrError

#: Bytes of the folder. 64 MiB travel there: the checkout has 29.1 MB, the packed wheels 29.8 MB.
ROOM = 6_500_000
_KINDS = ("models", "training")


class State:
    """The folder, and the figures in it.

    Args:
        folder: made where it is missing.
        settings: of this run; a folder that holds another run's is refused.
        lessons: folder in which the lessons are run.
        cache: folder of everything cached.

    Raises:
        CxrError: the folder is of a run with other settings.
    """

    def __init__(self, folder: Path, settings: dict, lessons: Path, cache: Path) -> None:
        self.folder, self.settings, self.lessons, self.cache = folder, settings, lessons, cache
        folder.mkdir(parents=True, exist_ok=True)
        before = self.read().get("settings", settings)
        if before != settings:
            raise CxrError(
                f"{folder} holds a run with {before}, and this one has {settings}. Expected the same settings. "
                "Remove the folder, or name another with --state."
            )

    def read(self) -> dict:
        """The figures so far."""
        file = self.folder / "results.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def keep(self, **figures: object) -> None:
        """Add figures, and keep them on disk."""
        known = {"settings": self.settings} | self.read() | figures
        write_text(self.folder / "results.json", json.dumps(known, indent=1, ensure_ascii=False) + "\n")

    def unpack(self) -> None:
        """Put lessons and networks where they are looked for, unless this machine still has its own."""
        if not (self.lessons / "run.json").exists():
            self._extract("lessons.zip", self.lessons)
        for kind in _KINDS:
            (self.cache / kind).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.cache) as beside:  # an entry gets its name when it is whole
            self._extract("networks.zip", Path(beside))
            for entry in Path(beside).glob("*/*"):
                place = self.cache / entry.relative_to(beside)
                if not place.exists():
                    shutil.move(entry, place)

    def _extract(self, name: str, place: Path) -> None:
        if (self.folder / name).exists():
            with zipfile.ZipFile(self.folder / name) as file:
                file.extractall(place)

    def pack(self) -> None:
        """Take finished lessons and networks into the folder, as far as there is room."""
        done = [file for file in self.lessons.glob("[0-9r]*") if file.suffix in (".ipynb", ".json")]
        entries = [entry for kind in _KINDS for entry in (self.cache / kind).glob("*") if _is_whole(entry)]
        self._compress("lessons.zip", self.lessons, done)
        left = ROOM - (self.folder / "lessons.zip").stat().st_size
        files: list[Path] = []
        for entry in sorted(entries, key=_size):
            left -= _size(entry)
            if left > 0:
                files += entry.iterdir()
        self._compress("networks.zip", self.cache, files)

    def _compress(self, name: str, root: Path, files: list[Path]) -> None:
        beside = self.folder / f"{name}.part"
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(files):
                file.write(path, path.relative_to(root))
        beside.replace(self.folder / name)


def _is_whole(entry: Path) -> bool:
    return entry.is_dir() and entry.suffix != ".part" and not any(entry.glob("*.part"))


def _size(entry: Path) -> int:
    return sum(file.stat().st_size for file in entry.iterdir())
