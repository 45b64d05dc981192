"""Every parameter and buffer of some models: where each hangs, and what was recorded of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from freezelint.runtime.contract import Role
from freezelint.runtime.shards import is_shared_out, own_rows
from freezelint.runtime.wrappers import is_wrapper, names_within, own_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Entry:
    """One parameter or buffer under one name."""

    __slots__ = (
        "aliases",
        "attribute",
        "contradicted_by",
        "device",
        "digest",
        "first_digest",
        "holder",
        "is_alive",
        "is_buffer",
        "is_flat",
        "is_plain",
        "module",
        "name",
        "owners",
        "pointer",
        "requires_grad",
        "role",
        "rows",
        "strides",
        "tensor",
        "version",
    )

    def __init__(
        self, name: str, module: nn.Module, attribute: str, tensor: Tensor, *, is_buffer: bool
    ) -> None:
        """Note where the tensor hangs and what can be told of it at a glance."""
        self.name = name
        self.module = module
        self.attribute = attribute
        self.is_buffer = is_buffer
        self.holder: dict[str, Any] = module._buffers if is_buffer else module._parameters  # noqa: SLF001
        self.role = Role.FREE
        self.rows: slice | None = None
        self.digest: int | None = None
        """What is promised: of the tensor, or of those of its rows that must stay."""
        self.first_digest: int | None = None
        """Of the whole tensor, at the beginning."""
        self.is_alive = False
        """Whether it was seen to move."""
        self.contradicted_by: str | None = None
        """The further name that a pattern of another role matches."""
        self.aliases: tuple[str, ...] = ()
        """Further names of the same object."""
        self.is_flat = False
        """Whether FSDP put several parameters into this one, which has the names of all."""
        self.owners: tuple[nn.Module, ...] = (module,)
        """The modules that it is in, the innermost first."""
        self.tensor = tensor
        self.is_plain = _is_plain(tensor)
        self.requires_grad = tensor.requires_grad
        self.version = version_of(tensor)
        self.pointer = pointer_of(tensor)
        self.strides = strides_of(tensor)
        self.device = tensor.device

    def hang_like(self, other: Entry) -> None:
        """Take the place and the names of another entry, of the same tensor."""
        self.name, self.aliases = other.name, other.aliases
        self.module, self.attribute = other.module, other.attribute
        self.holder, self.is_buffer = other.holder, other.is_buffer
        self.is_flat = other.is_flat
        self.owners = other.owners

    @property
    def names(self) -> tuple[str, ...]:
        """All names of this object, the first first."""
        return (self.name, *self.aliases)

    @property
    def watched(self) -> Tensor:
        """The tensor, or those of its rows that are promised to stay."""
        if self.rows is None:
            return self.tensor
        return own_rows(self, self.rows) if is_shared_out(self) else self.tensor.detach()[self.rows]


def noticed(entries: Iterable[Entry]) -> list[Entry]:
    """Those entries whose version or place in memory is another, which are brought up to date.

    This runs over everything around every step, so it is written to be fast.
    """
    found = []
    for entry in entries:
        tensor = entry.tensor
        if entry.is_plain:
            version, pointer = tensor._version, tensor.data_ptr()  # noqa: SLF001
        else:
            version, pointer = version_of(tensor), pointer_of(tensor)
        if version != entry.version or pointer != entry.pointer:
            entry.version, entry.pointer = version, pointer
            entry.is_plain = _is_plain(tensor)
            found.append(entry)
    return found


def _is_plain(tensor: Tensor) -> bool:
    """Whether it has a version counter and one place in memory."""
    return pointer_of(tensor) != 0 and not tensor.is_inference()


def version_of(tensor: Tensor) -> int:
    """The version counter; inference tensors have none, and lazy ones say nothing yet."""
    return -1 if is_lazy(tensor) or tensor.is_inference() else tensor._version  # noqa: SLF001


def pointer_of(tensor: Tensor) -> int:
    """Where the data lies; 0 for what has no single place or none yet."""
    if is_lazy(tensor) or tensor.device.type == "meta" or hasattr(tensor, "__tensor_flatten__"):
        return 0
    try:
        return tensor.data_ptr()
    except (RuntimeError, NotImplementedError):
        # Sparse and nested tensors.
        return 0


def storage_of(tensor: Tensor) -> int:
    """Where the storage begins that a tensor may share with others; 0 for what has none."""
    return tensor.untyped_storage().data_ptr() if pointer_of(tensor) else 0


def strides_of(tensor: Tensor) -> tuple[int, ...]:
    """The strides of a strided tensor; empty for every other kind."""
    if is_lazy(tensor) or tensor.is_sparse or tensor.is_nested:
        return ()
    try:
        return tensor.stride()
    except RuntimeError:
        return ()


class Inventory:
    """All entries of some models, and the tree of modules that they hang in."""

    def __init__(self, models: Mapping[str, nn.Module]) -> None:
        """Take stock of the models, by the prefix of their names (empty for a lone one)."""
        self.models = dict(models)
        self.entries: list[Entry] = []
        self._links: list[tuple[dict[str, Any], str, nn.Module]] = []
        self.modules: dict[str, nn.Module] = {}
        """By their path; a wrapper has that of what it is around, and is not among them."""
        self.wrappers: list[tuple[str, nn.Module]] = []
        self._take_stock()

    def _take_stock(self) -> None:
        self.entries.clear()
        self._links.clear()
        self.modules.clear()
        self.wrappers.clear()
        first: dict[int, Entry] = {}
        for prefix, model in self.models.items():
            owners: dict[str, tuple[nn.Module, ...]] = {}
            mine = dict(own_paths(model, prefix))
            for path, module in model.named_modules(prefix=prefix, remove_duplicate=False):
                if is_wrapper(module):
                    self.wrappers.append((mine[path], module))
                else:
                    self.modules[mine[path]] = module
                above = owners.get(path.rpartition(".")[0], ()) if path != prefix else ()
                owners[path] = (module, *above)
                for child, inner in module._modules.items():  # noqa: SLF001
                    if inner is not None:
                        self._links.append((module._modules, child, inner))  # noqa: SLF001
                for name, tensor, is_buffer in _own_tensors(module):
                    within = names_within(tensor)
                    qualified = [
                        f"{mine[path]}.{each}" if mine[path] else each for each in within or (name,)
                    ]
                    known = first.get(id(tensor))
                    if known is not None:
                        known.aliases = (*known.aliases, *qualified)
                        continue
                    entry = Entry(qualified[0], module, name, tensor, is_buffer=is_buffer)
                    entry.aliases, entry.is_flat = tuple(qualified[1:]), bool(within)
                    entry.owners = owners[path]
                    first[id(tensor)] = entry
                    self.entries.append(entry)

    def has_same_tree(self) -> bool:
        """Whether every module still hangs where it did."""
        return all(children.get(name) is module for children, name, module in self._links)

    def by_identity(self) -> dict[int, Entry]:
        """Entries by the identity of their tensor."""
        return {id(entry.tensor): entry for entry in self.entries}

    def renewed(self) -> Inventory:
        """Take stock again."""
        return Inventory(self.models)


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor, bool]]:
    for name, parameter in module._parameters.items():  # noqa: SLF001
        if parameter is not None:
            yield name, parameter, False
    for name, buffer in module._buffers.items():  # noqa: SLF001
        if isinstance(buffer, Tensor):
            yield name, buffer, True
