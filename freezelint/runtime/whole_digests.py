"""Digests of what is shared out among processes, put together by rank 0 from what each can tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from freezelint.records import NamedTuple
from freezelint.runtime.partial_digest import digest_of_parts, parts_of
from freezelint.runtime.shards import is_shared_out, pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.peers import Peers
    from freezelint.runtime.shards import Piece


class Whole(NamedTuple):
    """A parameter as if it were in one place."""

    shape: tuple[int, ...]
    digest: int | None
    """None if it is cut in a way that cannot be put together, such as by columns."""
    rows_digest: int | None


def whole_digests(entries: Sequence[Entry], peers: Peers, timeout: float) -> dict[str, Whole]:
    """The digests of all parameters that are shared out, by name; every process must ask.

    Raises:
        NoAnswer: if another process does not within so many seconds.
    """
    own = {key: note for entry in entries for key, note in _notes(entry)}
    peers.write(f"parts/{peers.rank}", own)
    if peers.rank == 0:
        everyone = [0, *peers.others]
        notes = peers.awaited("parts", everyone, timeout)
        peers.refuse_silence(everyone, notes, timeout, _TOGETHER)
        peers.write("whole/0", {key: _joined(key, list(notes.values())) for key in own})
    answer = peers.awaited("whole", [0], timeout)
    peers.refuse_silence([0], answer, timeout, _TOGETHER)
    return {
        name: Whole(tuple(shape), digest, rows_digest)
        for name, (shape, digest, rows_digest) in answer[0].items()
    }


_TOGETHER = (
    "a manifest of what is shared out is made and compared by all processes together; "
    "do so on every rank"
)


def _notes(entry: Entry) -> Iterator[tuple[str, Any]]:
    if not is_shared_out(entry):
        return
    pieces = pieces_of(entry)
    if pieces is None:
        for name in entry.names[: len(entry.names) if entry.is_flat else 1]:
            yield name, {"shape": tuple(entry.tensor.shape), "size": 1, "all": None, "rows": None}
        return
    for piece in pieces:
        rows = None
        if entry.rows is not None and piece.shape:
            start, stop, _ = entry.rows.indices(piece.shape[0])
            row = math.prod(piece.shape[1:])
            rows = _stretch(piece, start * row, stop * row)
        yield (
            piece.name,
            {
                "shape": piece.shape,
                "size": piece.values.element_size(),
                "all": _stretch(piece, 0, math.prod(piece.shape)),
                "rows": rows,
            },
        )


def _stretch(piece: Piece, start: int, stop: int) -> dict[str, Any]:
    """What this process has of the values from ``start`` to ``stop``."""
    values = piece.values[max(start - piece.first, 0) : max(stop - piece.first, 0)]
    first = max(piece.first - start, 0)
    return {
        "total": stop - start,
        "first": first,
        "count": values.numel(),
        "parts": parts_of(values, first, stop - start) if values.numel() else [],
    }


def _joined(key: str, notes: Sequence[dict[str, Any]]) -> tuple[Any, int | None, int | None]:
    own = [note[key] for note in notes if key in note]
    size = own[0]["size"]
    whole = _digest([each["all"] for each in own], size)
    return own[0]["shape"], whole, _digest([each["rows"] for each in own], size)


def _digest(stretches: Iterable[dict[str, Any] | None], size: int) -> int | None:
    """Put a digest together; some processes may have copies of the same values."""
    known: dict[int, dict[str, Any]] = {}
    for each in stretches:
        if each is None:
            return None
        if each["count"]:
            known[each["first"]] = each
        total = each["total"]
    if sum(each["count"] for each in known.values()) != total:
        return None
    return digest_of_parts(
        (part for each in known.values() for part in each["parts"]), total * size
    )
