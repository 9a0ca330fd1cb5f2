"""One module a host: when to collect, when to freeze, and what to do between two requests.

Most hosts need none of them: with ``PYTHONFROZENARENA=1`` the first fork freezes. A module says it
more exactly, is switched on by a line of the host's own configuration, and tells where nothing can
be inherited. Each module says what to type; docs/operate has a page a host. They share `host`, and
import nothing of the host that it has not imported itself.
"""
