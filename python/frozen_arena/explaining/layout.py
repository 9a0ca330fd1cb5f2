"""What each word of an object is, worked out from memory that is only read.

The offsets come from the table of the interpreter that made the objects (``python/layout/``), which
travels as text in the directory of its process: no offset is spelt here, and a process of another
Python version is read with the table of that version.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from frozen_arena.explaining.process import NotReadable, Process

__all__ = ["Field", "Items", "Layout", "Type"]

_MOST_HOPS = 4
_MOST_MEMBERS = 1000
_MOST_BASES = 200


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object: bytes ``offset`` to ``end``, counted from the object."""

    name: str
    kind: str
    offset: int
    end: int
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """What repeats behind the fields of an object, `stride` bytes each, from `offset` on."""

    name: str
    kind: str
    offset: int
    stride: int


@dataclass(slots=True)
class Type:
    """A type of the process that is looked at.

    Attributes:
        address: where the type lies.
        name: ``module.qualname``, the bare name for builtins.
        entry: tp_name of the nearest C type that the table knows, ``""`` for none.
        prefix: bytes before an instance: links of the collector and the pre-header.
        basicsize: bytes of an instance without its items.
        fields: ascending, not overlapping.
        items: what follows them, or None.
    """

    address: int
    name: str
    entry: str
    prefix: int
    basicsize: int
    flags: int
    fields: list[Field] = field(default_factory=list)
    items: Items | None = None
    begins: list[int] = field(default_factory=list)

    def field_at(self, offset: int) -> Field | None:
        """The field that covers the byte at `offset`."""
        place = bisect_right(self.begins, offset) - 1
        if place < 0:
            return None
        found = self.fields[place]
        return found if offset < found.end else None

    def named(self, name: str) -> Field | None:
        """The field of that name."""
        return next((one for one in self.fields if one.name == name), None)


class Layout:
    """The table of one interpreter, and the types of one process."""

    def __init__(self, process: Process, text: str) -> None:
        try:
            table = json.loads(text)
        except ValueError as error:
            raise NotReadable("the description of its objects is damaged") from error
        self.process = process
        self.python = str(table["python"])
        self.constants: dict[str, int] = table["constants"]
        self._table: dict[str, dict[str, Any]] = table["types"]
        self._types: dict[int, Type | None] = {}

    def __getitem__(self, name: str) -> int:
        """A constant of the table."""
        try:
            return self.constants[name]
        except KeyError:
            raise NotReadable(
                f"it runs another version of frozen arena, which does not describe {name}"
            ) from None

    def is_plausible_count(self, word: int) -> bool:
        """Whether `word` can be the first word of a living object (``layout/words.h``)."""
        if self["count_has_flags"]:
            return word & 0xFFFFFFFF != 0 and word >> 32 & 0xFFFF == 0
        return 0 < word < (1 << 32 if self["has_immortal"] else 1 << 40)

    def is_immortal(self, word: int) -> bool:
        """Whether the first word of an object says that nobody counts its references."""
        if not self["has_immortal"] or word & 0xFFFFFFFF != self["immortal_count"]:
            return False
        return not self["count_has_flags"] or bool(word >> 48 & self["immortal_flag"])

    def type_at(self, address: int) -> Type | None:
        """The type at `address`, or None when what lies there is none."""
        try:
            return self._types[address]
        except KeyError:
            pass
        self._types[address] = None
        try:
            if self._is_type(address, _MOST_HOPS):
                self._types[address] = self._read_type(address)
        except NotReadable:
            pass
        return self._types[address]

    def object_in(self, block: int, size: int, head: bytes) -> tuple[int, Type] | None:
        """(address, type) of the object in a block of which `head` is the beginning.

        The rule is that of ``freeze/object_finder.h``: the first of the places at which an object
        can begin in its block, where a plausible count is followed by a type whose instances have
        just that prefix.
        """
        step = self["gc_head"]
        for offset in (0, step, 2 * step):
            if size < offset + 2 * 8 or len(head) < offset + 2 * 8:
                return None
            count = int.from_bytes(head[offset : offset + 8], "little")
            if not self.is_plausible_count(count):
                continue
            at = offset + self["ob_type"]
            found = self.type_at(int.from_bytes(head[at : at + 8], "little"))
            if found is not None and found.prefix == offset:
                return block + offset, found
        return None

    def width_of_str(self, state: int) -> int:
        """Bytes of a character, by the state word of a str."""
        mask = self["str_kind_mask"]
        return (state & mask) // (mask & -mask)

    def str_at(self, address: int, longest: int = 60) -> str | None:
        """The text of an exact or compact str, cut off after `longest` characters."""
        try:
            kind = self.type_at(self.process.word(address + self["ob_type"]))
            if kind is None or not kind.flags & self["flag_str"]:
                return None
            length = self.process.word(address + self["str_length"])
            state = self.process.word(address + self["str_state"], 4)
            if not state & self["str_compact_mask"]:
                return None
            ascii_ = state & self["str_ascii_mask"]
            width = self.width_of_str(state)
            begin = address + self["str_ascii_size" if ascii_ else "str_compact_size"]
            shown = min(length, longest)
            raw = self.process.peek(begin, shown * width)
        except NotReadable:
            return None
        coding = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}.get(width)
        if coding is None:
            return None
        text = raw.decode(coding, "replace")
        return text if shown == length else text + "..."

    def entries(self, keys: int) -> tuple[int, int, int, int]:
        """(address of the entries, how many, bytes of one, offset of the key) of a keys table."""
        word = self.process.word
        index = 1 << word(keys + self["keys_log2_index_bytes"], 1)
        begin = keys + self["keys_size"] + index
        general = word(keys + self["keys_kind"], 1) == 0
        size = self["entry_size" if general else "str_entry_size"]
        key = self["entry_key" if general else "str_entry_key"]
        return begin, word(keys + self["keys_entries"]), size, key

    def key_of_entry(self, keys: int, number: int) -> int:
        """The address of the key of an entry of a keys table; 0 when there is none."""
        begin, count, size, key = self.entries(keys)
        return self.process.word(begin + number * size + key) if 0 <= number < count else 0

    def show(self, address: int) -> str:
        """A short text for the object at `address`, such as a key: ``'name'`` or ``int``."""
        text = self.str_at(address)
        if text is not None:
            return repr(text)
        try:
            kind = self.type_at(self.process.word(address + self["ob_type"]))
            if kind is not None and kind.name == "int":
                number = self._small_int(address, kind)
                if number is not None:
                    return str(number)
        except NotReadable:
            kind = None
        return f"<{kind.name} at {address:#x}>" if kind is not None else f"<{address:#x}>"

    def _small_int(self, address: int, type_: Type) -> int | None:
        """The value of an int of one digit."""
        size = type_.named("tag") or type_.named("size")
        if size is None or type_.items is None:
            return None
        word = self.process.word(address + size.offset)
        if size.name == "tag":
            digits, sign = word >> 3, (1, 0, -1)[min(2, word & 3)]
        else:
            digits, sign = abs(_signed(word)), 1 if _signed(word) >= 0 else -1
        if digits > 1:
            return None
        return sign * self.process.word(address + type_.items.offset, type_.items.stride)

    def _is_type(self, address: int, hops: int) -> bool:
        if address == self["type_type"]:
            return True
        if hops == 0 or address == 0 or address % 8:
            return False
        word = self.process.word
        if not self.is_plausible_count(word(address)):
            return False
        metatype = word(address + self["ob_type"])
        if not self._is_type(metatype, hops - 1):
            return False
        if not word(metatype + self["tp_flags"]) & self["flag_type"]:
            return False
        if not word(address + self["tp_flags"]) & self["flag_ready"]:
            return False
        if not 16 <= word(address + self["tp_basicsize"]) <= self["largest_instance"]:
            return False
        return bool(self.process.text(word(address + self["tp_name"])))

    def _tp_name(self, address: int) -> str:
        return self.process.text(self.process.word(address + self["tp_name"]))

    def _bases(self, address: int) -> list[int]:
        """The type and its bases, nearest first (tp_base)."""
        found: list[int] = []
        while address and len(found) < _MOST_BASES:
            found.append(address)
            address = self.process.word(address + self["tp_base"])
        return found

    def _full_name(self, address: int, flags: int) -> str:
        """module.qualname, as `FullName` of ``layout/types.cc``."""
        if not flags & self["flag_heap_type"]:
            return self._tp_name(address)
        name = self.str_at(self.process.word(address + self["ht_qualname"]), 200)
        module = self._module_of(self.process.word(address + self["tp_dict"]))
        name = name or self._tp_name(address)
        return f"{module}.{name}" if module and module != "builtins" else name

    def _module_of(self, dict_: int) -> str | None:
        """What a dict of type attributes has under ``__module__``."""
        if not dict_:
            return None
        try:
            keys = self.process.word(dict_ + self["dict_keys"])
            begin, count, size, key = self.entries(keys)
            value = self["entry_value" if size == self["entry_size"] else "str_entry_value"]
            for number in range(min(count, _MOST_MEMBERS)):
                at = begin + number * size
                if self.str_at(self.process.word(at + key)) == "__module__":
                    return self.str_at(self.process.word(at + value), 200)
        except NotReadable:
            pass
        return None

    def _entry_of(self, address: int) -> tuple[str, dict[str, Any] | None]:
        """The table's entry for the nearest base that has one, as ``layout/types.cc`` finds it."""
        for base in self._bases(address):
            name = self._tp_name(base)
            heap = self.process.word(base + self["tp_flags"]) & self["flag_heap_type"]
            found = self._table.get(name)
            if found is None or (heap and "." not in name):
                continue
            size = found["basicsize"]
            if size in (0, self.process.word(base + self["tp_basicsize"])):
                return name, found
        return "", None

    def _read_type(self, address: int) -> Type:
        word = self.process.word
        flags = word(address + self["tp_flags"])
        prefix = self["gc_head"] if flags & self["flag_have_gc"] else 0
        prefix += self["pre_header"] if flags & self["flag_pre_header"] else 0
        entry, known = self._entry_of(address)
        basicsize = word(address + self["tp_basicsize"])
        found = Type(address, self._full_name(address, flags), entry, prefix, basicsize, flags)
        collected: list[Field] = []

        def add(name: str, kind: str, offset: int, size: int = 8, owner: str = "") -> None:
            end = offset + size
            if all(end <= one.offset or offset >= one.end for one in collected):
                collected.append(Field(name, kind, offset, end, owner))

        self._add_prefix(flags, add)
        self._add_head(add)
        if known is not None:
            for name, kind, offset, size in known["fields"]:
                add(name, kind, offset, size)
            if known["items"] is not None:
                found.items = Items(*known["items"])
        self._add_members(address, add)
        for name, kind, constant in (
            ("dict", "dict pointer", "tp_dictoffset"),
            ("weakrefs", "weakref list", "tp_weaklistoffset"),
        ):
            offset = _signed(word(address + self[constant]))
            if offset > 0:
                add(name, kind, offset)
        if flags & self["flag_inline_values"]:
            if self["values_head"]:
                add("values_head", "size", basicsize, self["values_head"])
            found.items = Items("values", "reference", basicsize + self["values_head"], 8)
        found.fields = sorted(collected, key=lambda one: one.offset)
        found.begins = [one.offset for one in found.fields]
        return found

    def _add_prefix(self, flags: int, add: Any) -> None:
        head = -self["gc_head"]
        if flags & self["flag_have_gc"]:
            add("gc_next", "gc link", head + self["gc_next"])
            add("gc_previous", "gc link", head + self["gc_previous"])
        if flags & self["flag_managed_dict"]:
            name = "dict_or_values" if self["dict_or_values"] else "dict"
            add(name, "dict pointer", -self["managed_dict"])
            if self["managed_values"]:
                add("values", "buffer", -self["managed_values"])
        if flags & self["flag_managed_weakrefs"]:
            add("weakrefs", "weakref list", -self["managed_weakrefs"])

    def _add_head(self, add: Any) -> None:
        if self["count_has_flags"]:
            add("count", "count", 0, 4)
            add("overflow", "count", 4, 2)
            add("flags", "flags", 6, 2)
        else:
            add("count", "count", 0)
        add("type", "type", self["ob_type"])

    def _add_members(self, address: int, add: Any) -> None:
        """Slots of classes, and what C types tell of themselves."""
        word = self.process.word
        for base in self._bases(address):
            member = word(base + self["tp_members"])
            owner = self._full_name(base, word(base + self["tp_flags"])).rpartition(".")[2]
            for _ in range(_MOST_MEMBERS if member else 0):
                name = word(member + self["member_name"])
                if not name:
                    break
                if word(member + self["member_type"], 4) in (
                    self["member_object"],
                    self["member_object_ex"],
                ):
                    offset = _signed(word(member + self["member_offset"]))
                    add(self.process.text(name), "reference", offset, owner=owner)
                member += self["member_size"]


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
