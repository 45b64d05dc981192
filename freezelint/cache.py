"""What was found before, by content: a file that has not changed is not examined again.

One JSON file for each folder that checks are started from. An entry is known by a
digest of the file's path and bytes and of the settings in force for it; the whole
counts only for the very freezelint that wrote it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

from freezelint import __version__
from freezelint.stored_findings import restored, stored

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from freezelint.config import Config
    from freezelint.examination import Outcome

FORMAT = 1
"""Raised when the form of the file changes."""
_DIGEST = 16
"""Bytes of a digest."""
MOST_ENTRIES = 50_000
"""Files without findings that are remembered; those that were not met for longest go first."""
_RESULTS = re.compile(r"[0-9a-f]{32}\.json")
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Results of freezelint; may be deleted.\n"
"""Tells backup tools what the folder is: https://bford.info/cachedir/."""


def cache_folder(configured: str | None) -> Path:
    """Return where results are kept: as configured, else as the user's system has it."""
    from pathlib import Path

    asked = os.environ.get("FREEZELINT_CACHE_DIR") or configured
    if asked:
        return Path(asked)
    import platformdirs

    return Path(platformdirs.user_cache_dir("freezelint", appauthor=False))


def clean(folder: Path) -> int:
    """Delete what freezelint keeps in a folder, and nothing else; return how many files.

    Raises:
        OSError: if that is not possible.
    """
    results = [each for each in folder.glob("*.json") if _RESULTS.fullmatch(each.name)]
    for each in results:
        each.unlink()
    tag = folder / "CACHEDIR.TAG"
    if tag.is_file() and tag.read_text() == _TAG:
        tag.unlink()
        with contextlib.suppress(OSError):
            # Something else may be kept there.
            folder.rmdir()
    return len(results)


class Cache:
    """The outcomes of earlier runs, and those of this one."""

    def __init__(self, folder: Path) -> None:
        """Read what is there for the working folder; what cannot be used counts as nothing."""
        here = hashlib.blake2b(os.getcwd().encode(errors="surrogateescape"), digest_size=_DIGEST)
        self._path = folder / f"{here.hexdigest()}.json"
        self._tool = _fingerprint_of_tool()
        self._settings: dict[Config, bytes] = {}
        self._clean: dict[bytes, bool] = {}
        self._found: dict[bytes, Any] = {}
        self._new: dict[bytes, tuple[Outcome, bool]] = {}
        self._met: dict[bytes, None] = {}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, binascii.Error):
            self._load(json.loads(self._path.read_bytes()))

    def digest(self, path: str, data: bytes, config: Config) -> bytes:
        """Return what an entry is known by."""
        settings = self._settings.get(config)
        if settings is None:
            asked = config._replace(jobs=1, fixes="none", baseline=None)
            settings = self._settings[config] = repr(asked).encode()
        name = path.encode(errors="surrogateescape")
        return hashlib.blake2b(b"\0".join((name, settings, data)), digest_size=_DIGEST).digest()

    def outcome(self, digest: bytes, path: str, *, parsed: bool) -> Outcome | None:
        """Return what came of a file, if that is known.

        Args:
            digest: What the entry is known by.
            path: The file.
            parsed: Whether it must have been parsed, to find what does not parse.
        """
        from freezelint.examination import Outcome

        was_parsed = self._clean.get(digest)
        if was_parsed is not None and (was_parsed or not parsed):
            self._met[digest] = None
            return Outcome(path)
        known = self._found.get(digest)
        if known is None:
            return None
        self._met[digest] = None
        return Outcome(path, tuple(map(restored, known["findings"])), (), known["suppressed"])

    def keep(self, digest: bytes, outcome: Outcome, *, parsed: bool) -> None:
        """Remember what came of a file, unless something went wrong or it is known."""
        was_parsed = self._clean.get(digest)
        is_known = digest in self._found or was_parsed or (was_parsed is False and not parsed)
        if not outcome.problems and not is_known:
            self._new[digest] = (outcome, parsed)

    def save(self) -> None:
        """Write what is known, if there is anything new; a cache that cannot be written is none."""
        if not self._new:
            return
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            tag = self._path.parent / "CACHEDIR.TAG"
            if not tag.exists():
                tag.write_text(_TAG)
            from freezelint.writing import write_atomically

            write_atomically(self._path, json.dumps(self._document()).encode())

    def _load(self, document: dict[str, Any]) -> None:
        if document["format"] != FORMAT or document["tool"] != self._tool:
            return
        clean = dict.fromkeys(_digests(document["clean"]), False)
        clean |= dict.fromkeys(_digests(document["parsed"]), True)
        found = {binascii.unhexlify(key): value for key, value in document["found"].items()}
        # An entry that cannot be read makes the whole doubtful.
        for each in found.values():
            int(each["suppressed"])
            tuple(map(restored, each["findings"]))
        self._clean, self._found = clean, found

    def _document(self) -> dict[str, Any]:
        clean: dict[bytes, bool] = {}
        found: dict[bytes, Any] = {}
        for digest, (outcome, parsed) in self._new.items():
            if outcome.findings or outcome.suppressed:
                found[digest] = {
                    "findings": list(map(stored, outcome.findings)),
                    "suppressed": outcome.suppressed,
                }
            else:
                clean[digest] = parsed
        for digest in (*self._met, *self._clean, *self._found):
            if digest in self._found:
                found.setdefault(digest, self._found[digest])
            else:
                clean.setdefault(digest, self._clean[digest])
        kept = list(clean.items())[:MOST_ENTRIES]
        return {
            "format": FORMAT,
            "tool": self._tool,
            "clean": _joined(digest for digest, parsed in kept if not parsed),
            "parsed": _joined(digest for digest, parsed in kept if parsed),
            "found": {digest.hex(): each for digest, each in list(found.items())[:MOST_ENTRIES]},
        }


def _fingerprint_of_tool() -> str:
    """What tells one state of freezelint's own code from another, without reading it."""
    seen = hashlib.blake2b(f"{__version__} {sys.version}".encode(), digest_size=_DIGEST)
    folders = [os.path.dirname(__file__)]
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.is_dir() and entry.name != "__pycache__":
                    folders.append(entry.path)
                elif entry.name.endswith((".py", ".json")):
                    state = entry.stat()
                    seen.update(f"{entry.name} {state.st_size} {state.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def _digests(text: str) -> list[bytes]:
    data = base64.b64decode(text, validate=True)
    return [data[start : start + _DIGEST] for start in range(0, len(data), _DIGEST)]


def _joined(digests: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(digests)).decode()
