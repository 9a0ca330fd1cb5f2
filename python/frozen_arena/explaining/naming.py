"""`Namer`: the name of words in sealed arenas: the object, its type, the field.

Where objects lie is read from the pristine copy, which nobody changes; so a process that runs on
while it is looked at gets no wrong names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from frozen_arena.explaining.directory import Directory, Extent, SealedArena
from frozen_arena.explaining.layout import Layout, Type
from frozen_arena.explaining.owners import Owner, element_of, find_owners, set_entry
from frozen_arena.explaining.process import NotReadable, Process

__all__ = ["Namer", "Place"]

_HEAD = 48  # bytes of a block in which an object begins


@dataclass(frozen=True, slots=True)
class Place:
    """What a word of a sealed arena is.

    Attributes:
        address: of the word.
        lane: ``"objects"`` or ``"payload"``.
        type: ``module.qualname`` of the object, ``""`` when no object is known.
        field: the field, such as ``"hash"``, ``"Record.name"`` (a slot), ``"items[3]"``,
            ``"value of 'key'"``; ``""`` when it is not known.
        kind: what the field is, as ``python/layout`` has it: ``"count"``, ``"gc link"``,
            ``"hash"``, ``"reference"`` ...; ``"unknown"``.
        object: address of the object, 0 when none is known.
        immortal: nobody counted references to it when it was sealed.
        entry: the C type whose layout it has, such as ``"dict"`` for a defaultdict's base.
    """

    address: int
    lane: str
    type: str = ""
    field: str = ""
    kind: str = "unknown"
    object: int = 0
    immortal: bool = False
    entry: str = ""

    @property
    def known(self) -> bool:
        """Whether object and field are both known."""
        return self.kind != "unknown"


class Namer:
    """Names words of the sealed arenas of one process."""

    def __init__(self, process: Process, directory: Directory) -> None:
        self.process = process
        self.directory = directory
        self.layout = Layout(process, directory.layout)
        self._objects: dict[int, tuple[int, Type] | None] = {}
        self._private: dict[int, list[int]] = {}

    def pristine(self, extent: Extent, address: int, size: int) -> bytes:
        """Bytes as they were at the seal.

        Raises:
            NotReadable: there is no pristine copy.
        """
        if not extent.pristine:
            raise NotReadable("no pristine copy")
        return self.process.read(extent.pristine_of(address), size)

    def private_os_pages(self, extent: Extent) -> list[int]:
        """Addresses of the OS pages of an extent that the process had copied when first asked."""
        if extent.address not in self._private:
            self._private[extent.address] = self.process.private_os_pages(
                extent.address, extent.size
            )
        return self._private[extent.address]

    def object_at(
        self, arena: SealedArena, extent: Extent, address: int
    ) -> tuple[int, int, tuple[int, Type] | None] | None:
        """(block, its bytes, (object, type) or None) for an address; None outside all blocks."""
        block = arena.block_at(address)
        if block is None:
            return None
        begin, size = block
        if begin not in self._objects:
            found = None
            if extent.lane == "objects":
                try:
                    head = self.pristine(extent, begin, min(size, _HEAD))
                    found = self.layout.object_in(begin, size, head)
                except NotReadable:
                    found = None
            self._objects[begin] = found
        return begin, size, self._objects[begin]

    def places(self, words: Iterable[tuple[int, int]]) -> list[Place]:
        """What words are.

        Args:
            words: (address of a word, number of its first byte that counts, 0 to 7), in any order.

        Returns:
            A place for each, in the same order.
        """
        found: list[Place] = []
        unowned: dict[int, tuple[SealedArena, int]] = {}
        for address, first in words:
            found.append(self._place(address, first, unowned))
        if unowned:
            owners = find_owners(self, unowned)
            found = [self._in_buffer(place, owners) for place in found]
        return found

    def _place(
        self, address: int, first: int, unowned: dict[int, tuple[SealedArena, int]]
    ) -> Place:
        arena = self.directory.arena_at(address)
        extent = None if arena is None else arena.extent_at(address)
        if arena is None or extent is None:
            return Place(address, "")
        located = self.object_at(arena, extent, address)
        if located is None:
            return Place(address, extent.lane)
        block, size, found = located
        if found is None:
            unowned[block] = (arena, size)
            return Place(address, extent.lane, object=0)
        object_, type_ = found
        return self.place_in_object(extent, address + first, object_, type_, block + size)

    def place_in_object(
        self, extent: Extent, address: int, object_: int, type_: Type, end: int
    ) -> Place:
        """What a byte of an object is; `end` is that of its block."""
        word = address - address % 8
        immortal = self.layout.is_immortal(
            int.from_bytes(self.pristine(extent, object_, 8), "little")
        )
        name = self._field_name(extent, object_, type_, address - object_, end)
        if name is None:
            return Place(
                word, extent.lane, type_.name, "", "unknown", object_, immortal, type_.entry
            )
        return Place(
            word, extent.lane, type_.name, name[0], name[1], object_, immortal, type_.entry
        )

    def _field_name(
        self, extent: Extent, object_: int, type_: Type, offset: int, end: int
    ) -> tuple[str, str] | None:
        found = type_.field_at(offset)
        if found is not None:
            return (f"{found.owner}.{found.name}" if found.owner else found.name), found.kind
        if type_.flags & self.layout["flag_str"] and offset >= 0:
            return self._name_in_str(extent, object_, offset)
        items = type_.items
        if items is None or offset < items.offset:
            return None
        index = (offset - items.offset) // items.stride
        if index >= self._item_count(extent, object_, type_, end):
            return None
        if items.name == "table":
            return set_entry(self.layout, offset - items.offset)
        if items.name == "values":
            return self._attribute(type_, index)
        if items.name == "bytecode":
            name = self.layout.str_at(
                self._pristine_word(extent, object_ + self.layout["code_qualname"])
            )
            return f"bytecode of {name}" if name else "bytecode", items.kind
        return f"{items.name}[{index}]", items.kind

    def _pristine_word(self, extent: Extent, address: int) -> int:
        return int.from_bytes(self.pristine(extent, address, 8), "little")

    def _item_count(self, extent: Extent, object_: int, type_: Type, end: int) -> int:
        """How many items an object has behind its fields, at the seal."""
        items = type_.items
        assert items is not None
        room = max(0, (end - object_ - items.offset) // items.stride)
        size = type_.named("size") or type_.named("tag")
        if items.name == "values":
            head = object_ + items.offset - self.layout["values_head"]
            return min(room, self.pristine(extent, head, 1)[0])  # the capacity
        if items.name == "table":
            return min(room, 8 * self.layout["set_entry_size"] // items.stride)
        if size is None:
            return room
        value = self._pristine_word(extent, object_ + size.offset)
        if size.name == "tag":
            return min(room, max(1, value >> 3))
        if value >> 63:
            value = (1 << 64) - value
        return min(room, value + (1 if items.name == "bytes" else 0))

    def _attribute(self, type_: Type, index: int) -> tuple[str, str]:
        """An attribute value that lies in an instance."""
        name = None
        try:
            keys = self.process.word(type_.address + self.layout["ht_cached_keys"])
            name = self.layout.str_at(self.layout.key_of_entry(keys, index)) if keys else None
        except NotReadable:
            name = None
        short = type_.name.rpartition(".")[2]
        return (f"{short}.{name}" if name else f"values[{index}]"), "reference"

    def _name_in_str(self, extent: Extent, object_: int, offset: int) -> tuple[str, str] | None:
        layout = self.layout
        state = int.from_bytes(self.pristine(extent, object_ + layout["str_state"], 4), "little")
        compact = bool(state & layout["str_compact_mask"])
        if not compact or not state & layout["str_ascii_mask"]:
            for name, kind, at in (
                ("utf8_length", "size", "str_utf8_length"),
                ("utf8", "cached pointer", "str_utf8"),
            ):
                if layout[at] <= offset < layout[at] + 8:
                    return name, kind
            if not compact and layout["str_data"] <= offset < layout["str_data"] + 8:
                return "data", "buffer"
        if not compact:
            return None
        ascii_ = state & layout["str_ascii_mask"]
        begin = layout["str_ascii_size" if ascii_ else "str_compact_size"]
        length = self._pristine_word(extent, object_ + layout["str_length"])
        end = begin + (length + 1) * layout.width_of_str(state)
        return ("characters", "data") if begin <= offset < end else None

    def _in_buffer(self, place: Place, owners: dict[int, Owner]) -> Place:
        if place.type or not place.lane:
            return place
        arena = self.directory.arena_at(place.address)
        block = None if arena is None else arena.block_at(place.address)
        owner = None if block is None else owners.get(block[0])
        if owner is None:
            return place
        name = element_of(self, owner, place.address)
        if name is None:
            return replace(place, type=owner.type.name, object=owner.object)
        return replace(
            place,
            type=owner.type.name,
            field=name[0],
            kind=name[1],
            object=owner.object,
            immortal=owner.immortal,
            entry=owner.type.entry,
        )
