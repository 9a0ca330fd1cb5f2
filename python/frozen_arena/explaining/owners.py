"""Whose a block without an object is: the item vector of which list, the table of which dict.

Nothing in such a block says so. The objects of the arena do: their buffer fields point to it. So
the objects lane, as it was at the seal, is searched once for words that point into the blocks in
question. Blocks that hang together by links (of a deque, nodes of an OrderedDict) are followed to
their first one before.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from frozen_arena._support import core
from frozen_arena.explaining.directory import Extent, SealedArena
from frozen_arena.explaining.layout import Layout, Type
from frozen_arena.explaining.process import NotReadable

if TYPE_CHECKING:
    from frozen_arena.explaining.naming import Namer

__all__ = ["Owner", "element_of", "find_owners", "set_entry"]

_LONGEST_CHAIN = 20_000
_KEYS = ("keys", "cached_keys")
_OWNING_KINDS = ("buffer", "cached pointer", "dict pointer")


@dataclass(frozen=True, slots=True)
class Owner:
    """The object that a block belongs to: through its `field`, which points to `target` in it.

    Attributes:
        before: blocks of a chain that come before this one.
    """

    object: int
    type: Type
    field: str
    target: int
    immortal: bool
    before: int = 0


@dataclass(frozen=True, slots=True)
class _Chain:
    """How blocks of one kind are linked."""

    field: str
    size: int
    previous: int
    following: int


def _chains(namer: Namer) -> tuple[_Chain, ...]:
    layout = namer.layout
    return (
        _Chain(
            "left_block",
            layout["deque_block_size"],
            layout["deque_block_left"],
            layout["deque_block_right"],
        ),
        _Chain("first", layout["node_size"], layout["node_previous"], layout["node_next"]),
    )


def find_owners(namer: Namer, blocks: dict[int, tuple[SealedArena, int]]) -> dict[int, Owner]:
    """Finds the owners of blocks.

    Args:
        namer: of the process.
        blocks: address -> (arena, bytes).

    Returns:
        The owner of each block for which one was found; others are left out.
    """
    chains = _chains_of(namer, blocks)
    wanted = {block: size for block, (_, size) in blocks.items()}
    wanted |= {link: chain.size for links, chain in chains.values() for link in links}
    direct: dict[int, list[Owner]] = {}
    for arena in namer.directory.arenas:
        for extent in arena.extents:
            if extent.lane == "objects":
                _search(namer, arena, extent, wanted, direct)
    found: dict[int, Owner] = {}
    for block in blocks:
        owners = direct.get(block)
        if owners:
            # A table of names that a class shares with its instances belongs to the class.
            found[block] = min(owners, key=lambda owner: owner.field != "cached_keys")
            continue
        links, chain = chains.get(block, ((), None))
        for before, link in enumerate(links):
            first = [one for one in direct.get(link, ()) if chain and one.field == chain.field]
            if first:
                found[block] = replace(first[0], target=block, before=before)
                break
    return found


def _pristine_word(namer: Namer, address: int) -> int:
    arena = namer.directory.arena_at(address)
    extent = None if arena is None else arena.extent_at(address)
    if extent is None:
        raise NotReadable(f"{address:#x} lies in no arena")
    return int.from_bytes(namer.pristine(extent, address, 8), "little")


def _chains_of(
    namer: Namer, blocks: dict[int, tuple[SealedArena, int]]
) -> dict[int, tuple[list[int], _Chain]]:
    """For blocks that may be links of a chain: it and those before it, from it to the left."""
    found: dict[int, tuple[list[int], _Chain]] = {}
    for block, (_, size) in blocks.items():
        for chain in _chains(namer):
            if chain.size <= size <= chain.size + chain.size // 8 + 16:
                found[block] = (_follow(namer, block, chain), chain)
    return found


def _follow(namer: Namer, block: int, chain: _Chain) -> list[int]:
    """The blocks from `block` to the left, as long as each neighbour says the same.

    The first block of a deque has no mark: what its link says is left from earlier, and may lead to
    a block that the deque has given back. So the first block is the one that a deque names.
    """
    links = [block]
    try:
        while len(links) < _LONGEST_CHAIN:
            previous = _pristine_word(namer, links[-1] + chain.previous)
            if previous == 0 or _pristine_word(namer, previous + chain.following) != links[-1]:
                break
            links.append(previous)
    except NotReadable:
        pass
    return links


def _search(
    namer: Namer,
    arena: SealedArena,
    extent: Extent,
    wanted: dict[int, int],
    direct: dict[int, list[Owner]],
) -> None:
    """Adds the objects of an extent of the objects lane that own blocks of `wanted`."""
    native = core()
    if native is None or not extent.pristine:
        return
    blocks = sorted(wanted)
    ranges = array("Q")
    for block in blocks:
        ranges.extend((block, block + wanted[block]))
    packed = ranges.tobytes()
    os_page = namer.process.os_page
    private = namer.private_os_pages(extent)
    copied = set(private)

    def note(memory: bytes, begin: int, skip: bool) -> None:
        hits = memoryview(native.words_into(memory, packed)).cast("Q")
        for number, value in zip(hits[0::2], hits[1::2], strict=True):
            at = begin + number * 8
            if not (skip and at - at % os_page in copied):
                _note(namer, arena, extent, at, value, wanted, blocks, direct)

    for begin, size in extent.live_runs(os_page):
        note(namer.process.read(begin, size), begin, skip=True)
    for page in private:
        note(namer.pristine(extent, page, os_page), page, skip=False)


def _note(
    namer: Namer,
    arena: SealedArena,
    extent: Extent,
    address: int,
    value: int,
    wanted: dict[int, int],
    blocks: list[int],
    direct: dict[int, list[Owner]],
) -> None:
    """Takes a word that points into a wanted block for what it is: an owner, or nothing."""
    located = namer.object_at(arena, extent, address)
    if located is None or located[2] is None:
        return
    object_, type_ = located[2]
    field = type_.field_at(address - object_)
    if field is None or field.kind not in _OWNING_KINDS:
        return
    target = value
    if field.kind == "dict pointer":
        if not value % 2:
            return  # a dict, which is an object
        target = value + 1  # 3.12: an odd word names the values (pycore_object.h)
    block = blocks[bisect_right(blocks, value) - 1]
    name = "values" if field.name == "dict_or_values" else field.name
    immortal = namer.layout.is_immortal(
        int.from_bytes(namer.pristine(extent, object_, 8), "little")
    )
    direct.setdefault(block, []).append(Owner(object_, type_, name, target, immortal))


def element_of(namer: Namer, owner: Owner, address: int) -> tuple[str, str] | None:
    """(field, kind) of a word in a block that `owner` holds; None when it is not known."""
    offset = address - owner.target
    try:
        if owner.field in _KEYS:
            return _in_keys(namer, owner, offset)
        if owner.field == "values":
            return _in_values(namer, owner, offset)
        if owner.field == "table":
            return set_entry(namer.layout, offset)
        if owner.field == "items" and owner.type.entry == "list":
            return f"items[{offset // 8}]", "reference"
        if owner.field in ("left_block", "right_block"):
            return _in_deque(namer, owner, offset)
        if owner.field in ("first", "last"):
            return _in_node(namer, owner, offset)
    except NotReadable:
        return None
    if offset < 0:
        return None
    if owner.type.entry == "bytearray":
        return f"bytes[{offset}]", "data"
    return f"{owner.field}+{offset}", "data"  # in bytes


def set_entry(layout: Layout, offset: int) -> tuple[str, str]:
    """(field, kind) of a byte in the table of a set."""
    entry, within = divmod(offset, layout["set_entry_size"])
    if within - within % 8 == layout["set_entry_key"]:
        return f"entry[{entry}]", "reference"
    return f"entry[{entry}].hash", "data"


def _in_keys(namer: Namer, owner: Owner, offset: int) -> tuple[str, str] | None:
    layout, keys = namer.layout, owner.target
    if offset < 0:
        return None
    if offset < layout["keys_size"]:
        for name, kind, constant in (
            ("keys.count", "count", "keys_count"),
            ("keys.version", "version", "keys_log2_size"),
            ("keys.usable", "size", "keys_usable"),
            ("keys.entries", "size", "keys_entries"),
        ):
            if layout[constant] <= offset < layout[constant] + 8:
                return name, kind
        return None
    begin, count, size, key = layout.entries(keys)
    if keys + offset < begin:
        return f"keys.index[{offset - layout['keys_size']}]", "data"
    entry, within = divmod(keys + offset - begin, size)
    if entry >= count:
        return f"keys.entry[{entry}]", "data"
    general = size == layout["entry_size"]
    value = layout["entry_value" if general else "str_entry_value"]
    name = layout.show(layout.key_of_entry(keys, entry))
    if within == value:
        return f"value of {name}", "reference"
    return (f"key {name}", "reference") if within == key else (f"hash of key {name}", "data")


def _in_values(namer: Namer, owner: Owner, offset: int) -> tuple[str, str] | None:
    layout = namer.layout
    if offset < layout["values_head"]:
        return "values_head", "size"
    index = (offset - layout["values_head"]) // 8
    if layout["values_head"] and index >= _pristine_word(namer, owner.target) & 0xFF:
        return "values_order", "size"  # behind as many values as the first byte says
    if owner.type.flags & layout["flag_dict"]:
        keys = _pristine_word(namer, owner.object + layout["dict_keys"])
        name = layout.str_at(layout.key_of_entry(keys, index))
        return (f"value of {name!r}" if name else f"values[{index}]"), "reference"
    keys = namer.process.word(owner.type.address + layout["ht_cached_keys"])
    name = layout.str_at(layout.key_of_entry(keys, index)) if keys else None
    short = owner.type.name.rpartition(".")[2]
    return (f"{short}.{name}" if name else f"values[{index}]"), "reference"


def _in_deque(namer: Namer, owner: Owner, offset: int) -> tuple[str, str] | None:
    layout = namer.layout
    items = layout["deque_block_items"]
    if not items <= offset < layout["deque_block_right"]:
        return "block.link", "buffer"
    slot = (offset - items) // 8
    if owner.field != "left_block":
        return f"last_block[{slot}]", "reference"
    per_block = (layout["deque_block_right"] - items) // 8
    left_index = owner.type.named("left_index")
    if left_index is None:
        return None
    first = _pristine_word(namer, owner.object + left_index.offset)
    return f"items[{owner.before * per_block + slot - first}]", "reference"


def _in_node(namer: Namer, owner: Owner, offset: int) -> tuple[str, str] | None:
    layout = namer.layout
    key = layout.show(_pristine_word(namer, owner.target + layout["node_key"]))
    for name, kind, constant in (
        ("key", "reference", "node_key"),
        ("hash", "data", "node_hash"),
        ("next", "buffer", "node_next"),
        ("previous", "buffer", "node_previous"),
    ):
        if layout[constant] == offset:
            return f"node of {key}.{name}", kind
    return None
