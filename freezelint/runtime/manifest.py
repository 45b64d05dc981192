"""The frozen set as a file: names, roles and digests, to be compared later and elsewhere."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from freezelint.writing import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FORMAT = "freezelint manifest"
_VERSION = 1


class ManifestError(ValueError):
    """A file that is no manifest, or one of a later version."""


@dataclass(frozen=True)
class TensorRecord:
    """What was promised of one parameter or buffer."""

    name: str
    kind: str
    """``parameter`` or ``buffer``."""
    role: str
    """The value of a :class:`Role`."""
    shape: tuple[int, ...]
    dtype: str
    """As torch calls it, without ``torch.``."""
    digest: int | None
    """Of all elements in their logical order; None for what has no bits."""
    rows: tuple[int, int] | None = None
    """First and end of the rows that must stay, of a tensor whose others may move."""
    rows_digest: int | None = None


@dataclass(frozen=True)
class Manifest:
    """What a contract promised of some models at one moment."""

    tensors: tuple[TensorRecord, ...]
    versions: Mapping[str, str]
    """Of what made it."""

    def document(self) -> dict[str, Any]:
        """All of it in numbers, strings, lists and dicts."""
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "made_by": dict(self.versions),
            "tensors": [_plain(each) for each in self.tensors],
        }

    def save(self, path: Path) -> None:
        """Write it to a file, whole or not at all."""
        write_atomically(path, json.dumps(self.document(), indent=1).encode() + b"\n")

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read it from a file.

        Raises:
            ManifestError: if the file holds no manifest that this release can read.
            OSError: if it cannot be read.
        """
        try:
            document = json.loads(path.read_bytes())
        except ValueError as error:
            raise ManifestError(f"{path} is no manifest: {error}") from None
        return cls.of(document, str(path))

    @classmethod
    def of(cls, document: object, path: str) -> Manifest:
        """Read it from its document; errors name ``path``.

        Raises:
            ManifestError: if this is no manifest that this release can read.
        """
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise ManifestError(f"{path} is no manifest of freezelint")
        if document.get("version") != _VERSION:
            raise ManifestError(
                f"{path} is of version {document.get('version')!r}; this release reads {_VERSION}"
            )
        try:
            tensors = tuple(_record(each) for each in document["tensors"])
            versions = {str(key): str(value) for key, value in document["made_by"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ManifestError(f"{path} is damaged: {type(error).__name__}: {error}") from None
        return cls(tensors, versions)


def _plain(record: TensorRecord) -> dict[str, Any]:
    kept = {key: value for key, value in asdict(record).items() if value is not None}
    for key in ("digest", "rows_digest"):
        if key in kept:
            # 64 bits, which JavaScript's numbers do not hold.
            kept[key] = f"{kept[key] & (1 << 64) - 1:016x}"
    return kept


def _record(data: Mapping[str, Any]) -> TensorRecord:
    rows = data.get("rows")
    return TensorRecord(
        name=str(data["name"]),
        kind=str(data["kind"]),
        role=str(data["role"]),
        shape=tuple(map(int, data["shape"])),
        dtype=str(data["dtype"]),
        digest=_number(data.get("digest")),
        rows=None if rows is None else (int(rows[0]), int(rows[1])),
        rows_digest=_number(data.get("rows_digest")),
    )


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    bits = int(text, 16)
    return bits - (1 << 64) if bits >> 63 else bits
