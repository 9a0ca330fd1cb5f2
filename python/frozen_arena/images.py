"""Frozen images: a packed graph as a file, which any process maps instead of loading it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from frozen_arena._support import core, reason_unsupported
from frozen_arena.arena import Arena
from frozen_arena.errors import ImageError, Unsupported

__all__ = ["Image", "ImageReport", "open_image"]


@dataclass(frozen=True, slots=True)
class ImageReport:
    """What opening an image took.

    Attributes:
        path: of the file.
        nbytes: bytes mapped.
        objects: objects in the image.
        seconds: that opening took, imports included.
        imported: modules that were imported because the image refers to them.
        moved: of what it refers to outside itself, how much lies at another address here.
        patched_words: words of 8 bytes that were changed for that.
        private_os_pages: OS pages of the image that this process has copied for that.
        checked_hashes: keys whose hash was computed again.
    """

    path: str
    nbytes: int
    objects: int
    seconds: float
    imported: tuple[str, ...]
    moved: int
    patched_words: int
    private_os_pages: int
    checked_hashes: int

    def to_dict(self) -> dict[str, Any]:
        """The same as a plain dict, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        where = (
            "at the place where it was built"
            if self.patched_words == 0
            else f"with {self.patched_words:,} words patched on {self.private_os_pages:,} OS pages"
        )
        return (
            f"{self.objects:,} objects, {self.nbytes / 2**20:,.1f} MiB, mapped {where} in "
            f"{self.seconds * 1e3:.1f} ms"
        )


class Image:
    """An open image; made by `open_image`.

    The memory stays mapped for the life of the process. Leaving the ``with`` block, or `close`,
    gives up `root` here; what was taken out of it stays valid.
    """

    __slots__ = ("_arena", "_report", "_root")

    def __init__(self, arena: Arena, root: Any, report: ImageReport) -> None:
        self._arena = arena
        self._root: list[Any] = [root]
        self._report = report

    @property
    def root(self) -> Any:
        """The object that was packed. ImageError once the image has been closed."""
        if not self._root:
            raise ImageError(f"{self._report.path} has been closed here; open it again")
        return self._root[0]

    @property
    def report(self) -> ImageReport:
        """What opening it took."""
        return self._report

    @property
    def arena(self) -> Arena:
        """The memory of the image, as a sealed arena: `sharing`, `explain`, `reshare`."""
        return self._arena

    def close(self) -> None:
        """Gives up `root`; the memory stays. Closing twice is no error."""
        self._root.clear()

    def __contains__(self, obj: object) -> bool:
        """Whether the object lies in the image."""
        return obj in self._arena

    def __enter__(self) -> Image:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = "" if self._root else " closed,"
        return f"<Image {self._report.path!r},{closed} {self._report.nbytes:,} bytes>"


def open_image(path: str | os.PathLike[str], *, verify: bool = False) -> Image:
    """Maps an image that `Arena.save` wrote, and gives its root.

    What it refers to (classes, functions, modules) is imported first, as unpickling does: open
    only what you would run as a program. Nothing of the body is read; the work is the same for any
    size, unless something that it refers to lies at another address in this process (the
    interpreter too, where its addresses are randomised): then each word that says so is patched,
    and its OS page becomes this process's own. `Image.report` tells.

    The objects can be changed like any others; nobody else sees it. An image is mapped once in a
    process: opening it again gives the same root, changes included.

    Args:
        path: of the file. It is never written to: whoever saves an image there puts a new file
            in its place, and what is open goes on with the old one.
        verify: reads the whole body and compares it with its digests first.

    Returns:
        An `Image`, also usable in a ``with`` statement.

    Raises:
        ImageError: the file cannot be read, is damaged, or does not fit this process; the message
            says what to do. Nothing was mapped.
        Unsupported: arenas do not work here.
        TypeError: `verify` is no bool.
    """
    if not isinstance(verify, bool):
        raise TypeError(f"verify takes a bool, not {type(verify).__name__}")
    if core() is None:
        raise Unsupported(str(reason_unsupported()))
    from frozen_arena.imaging import opening

    return Image(*opening.open_path(path, verify))
