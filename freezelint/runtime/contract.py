"""What must stay and what must move: roles of parameters and buffers, by pattern or by flag."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezelint.runtime.manifest import Manifest
from freezelint.runtime.names import aligned, matches, nearest, specificity
from freezelint.runtime.peers import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezelint.runtime.inventory import Entry


class Role(enum.Enum):
    """What a contract says about one parameter or buffer."""

    FROZEN = "frozen"
    """Its bits stay."""
    TRAINABLE = "trainable"
    """It moves, sooner or later."""
    TARGET = "target"
    """It moves by its owner's hand (EMA, target networks), never by an optimizer."""
    STATISTICS = "statistics"
    """A buffer that may move."""
    FREE = "free"
    """Nothing was said about it."""


class ContractError(ValueError):
    """A contract that cannot be read: a pattern without a match, or two that contradict."""


@dataclass(frozen=True)
class Contract:
    """Patterns for what must stay and what must move.

    Patterns are globs over qualified names (``"backbone.*"``, ``"*.bias"``); the path of
    a module stands for all that is in it. They match with or without the prefixes that
    wrappers add (``module.``, ``_orig_mod.``, ``_fsdp_wrapped_module.``,
    ``base_model.model.``). Where several match, the one that spells out more decides.

    Without any pattern for ``frozen``, ``trainable`` and ``target`` the contract is
    inferred: what has ``requires_grad=False`` is frozen, and so is every buffer of a
    module all of whose parameters are; the rest trains.
    """

    frozen: Sequence[str] = ()
    trainable: Sequence[str] = ()
    target: Sequence[str] = ()
    statistics: Sequence[str] = ()
    """Buffers that may move although what they belong to is frozen."""
    frozen_rows: Mapping[str, slice] = field(default_factory=dict)
    """Rows of a parameter (by its first dimension) that stay while the others train."""
    manifest: Manifest | None = field(default=None, repr=False)
    """What was promised earlier, by :meth:`save`; decides instead of patterns."""

    def __post_init__(self) -> None:
        """Take a lone pattern for a list of one."""
        for name in ("frozen", "trainable", "target", "statistics"):
            patterns = getattr(self, name)
            if isinstance(patterns, str):
                object.__setattr__(self, name, (patterns,))

    @property
    def is_inferred(self) -> bool:
        """Whether flags decide, not patterns."""
        return not (self.frozen or self.trainable or self.target or self.manifest)

    def save(self, path: str | Path, *subjects: Any, timeout: float = TIMEOUT) -> None:
        """Write what this contract promises of some models to a file: a manifest.

        Of a model that FSDP or DTensors share out among processes every one calls this, and
        rank 0 writes the file, which is the same as that of the whole model in one process.

        Args:
            path: Where to.
            *subjects: Models, as for :func:`freezelint.runtime.watch`.
            timeout: Seconds to wait for the other processes.

        Raises:
            ContractError: if the contract cannot be read for these models.
            NoAnswer: if another process does not call this in time.
        """
        from freezelint.runtime.distributed import peers_of
        from freezelint.runtime.inventory import Inventory
        from freezelint.runtime.promises import manifest_of
        from freezelint.runtime.shards import is_shared_out
        from freezelint.runtime.subjects import subjects_of
        from freezelint.runtime.whole_digests import whole_digests

        models, _ = subjects_of(subjects)
        entries = Inventory(models).entries
        self.assign(entries)
        peers = peers_of(entries, "save") if any(map(is_shared_out, entries)) else None
        if peers is None:
            manifest_of(entries, {}).save(Path(path))
            return
        whole = whole_digests(entries, peers, timeout)
        if peers.rank == 0:
            manifest_of(entries, whole).save(Path(path))
            peers.write("saved/0", True)
        saved = peers.awaited("saved", [0], timeout)
        peers.refuse_silence([0], saved, timeout, "it did not write the manifest")

    @classmethod
    def load(cls, path: str | Path) -> Contract:
        """Read a manifest: what was frozen then is frozen now, with the values of then.

        Raises:
            ManifestError: if the file holds no manifest that this release can read.
        """
        return cls(manifest=Manifest.load(Path(path)))

    def assign(self, entries: Sequence[Entry]) -> None:
        """Give every entry its role.

        Raises:
            ContractError: if a pattern matches nothing or two equally specific ones contradict.
        """
        self._refuse_idle_patterns([name for entry in entries for name in entry.names])
        self.assign_again(entries)

    def assign_again(self, entries: Sequence[Entry]) -> None:
        """Give every entry its role, in a model that has lost some of what patterns name.

        Raises:
            ContractError: if two equally specific patterns contradict.
        """
        if self.manifest is not None:
            self._assign_as_promised(self.manifest, entries)
        else:
            for entry in entries:
                self._assign_one(entry)
        if self.is_inferred:
            _infer_buffers(entries)
        if self.statistics:
            for entry in entries:
                if entry.is_buffer and any(matches(each, entry.name) for each in self.statistics):
                    entry.role = Role.STATISTICS

    def _assign_as_promised(self, manifest: Manifest, entries: Sequence[Entry]) -> None:
        """Give entries the roles that they had; what was not there then is free."""
        records = {record.name: record for record in manifest.tensors}
        by_name = {name: entry for entry in entries for name in entry.names}
        for name, place in aligned(records, by_name).items():
            entry, record = by_name[place], records[name]
            entry.role = Role(record.role)
            if record.rows is not None:
                entry.rows = slice(*record.rows)

    def _assign_one(self, entry: Entry) -> None:
        for pattern, rows in self.frozen_rows.items():
            if any(matches(pattern, name) for name in entry.names):
                if entry.is_flat:
                    raise ContractError(
                        f"{pattern!r} is about rows of a parameter that FSDP put into a flat one; "
                        "wrap the model with use_orig_params=True, or with fully_shard"
                    )
                entry.rows = rows
        if self.is_inferred:
            entry.role = Role.FREE
            if not entry.is_buffer:
                entry.role = Role.TRAINABLE if entry.tensor.requires_grad else Role.FROZEN
            return
        entry.role = self._claimed(entry.name)
        for name in entry.aliases:
            role = self._claimed(name)
            if entry.role is Role.FREE:
                entry.role = role
            elif role not in (Role.FREE, entry.role):
                # One object cannot be both: it is watched as frozen, and the tie is reported.
                entry.contradicted_by, entry.role = name, Role.FROZEN
        if entry.is_buffer and entry.role is Role.TRAINABLE:
            entry.role = Role.FREE

    def _claimed(self, name: str) -> Role:
        """The role that patterns give to a name."""
        claims = [
            (specificity(pattern), role, pattern)
            for role, patterns in self._by_role()
            for pattern in patterns
            if matches(pattern, name)
        ]
        if not claims:
            return Role.FREE
        best = max(claim[0] for claim in claims)
        roles = {role: pattern for found, role, pattern in claims if found == best}
        if len(roles) > 1:
            both = " and ".join(f"{role.value} by {each!r}" for role, each in roles.items())
            raise ContractError(f"{name} is {both}; make one of the patterns longer")
        (role,) = roles
        return role

    def _by_role(self) -> tuple[tuple[Role, Sequence[str]], ...]:
        return (
            (Role.FROZEN, self.frozen),
            (Role.TRAINABLE, self.trainable),
            (Role.TARGET, self.target),
        )

    def _refuse_idle_patterns(self, names: Sequence[str]) -> None:
        given = [*self.frozen, *self.trainable, *self.target, *self.statistics, *self.frozen_rows]
        for pattern in given:
            if any(matches(pattern, name) for name in names):
                continue
            near = nearest(pattern, names)
            hint = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
            raise ContractError(
                f"the pattern {pattern!r} matches no parameter or buffer of the model{hint}"
            )


def _infer_buffers(entries: Sequence[Entry]) -> None:
    """Freeze the buffers below the nearest module that has parameters, if all of those are."""
    parameters = [entry for entry in entries if not entry.is_buffer]
    for entry in entries:
        if not entry.is_buffer:
            continue
        path = entry.name
        while "." in path:
            path = path.rpartition(".")[0]
            inside = [each for each in parameters if each.name.startswith(path + ".")]
            if inside:
                if all(each.role is Role.FROZEN for each in inside):
                    entry.role = Role.FROZEN
                break
        else:
            if parameters and all(each.role is Role.FROZEN for each in parameters):
                entry.role = Role.FROZEN
