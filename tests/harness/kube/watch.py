"""Watches: the changes behind a resourceVersion, as they come, one JSON document a line."""

import json
import select
import time

from .errors import ApiError
from .faults import ENDINGS, ending
from .store import ADDED, DELETED, MODIFIED

INITIAL_END = "k8s.io/initial-events-end"


def _line(kind, octets):
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), octets)


class Watch:
    """One watch that a client has open; a test may meddle with it by close(), tear(), silence(),
    fail() and bookmark(). `render` makes octets of an entry, `initial` are the entries that are
    sent as ADDED first."""

    def __init__(self, store, storage, since, accept, render, call, blank, initial=None,
                 initial_end=False, bookmark_seconds=60, seconds=1800, fault=None):
        self.store, self.storage, self.since, self.call = store, storage, since, call
        self._accept, self._render, self._blank = accept, render, blank
        self._initial, self._initial_end = initial, initial_end
        self._bookmarks = call.flag("allowWatchBookmarks")
        self._bookmark_seconds, self._seconds = bookmark_seconds, seconds
        self._fault, self._delivered, self._order = fault, 0, None
        self._bookmark_wanted = False
        self.stopped, self.over = lambda: False, False

    # What tests may order.

    def _say(self, order):
        with self.store.changed:
            self._order = order
            self.store.changed.notify_all()

    def close(self):
        """Ends it, as the server does when its time is up."""
        self._say("close")

    def tear(self):
        """Breaks it off within an event."""
        self._say("torn")

    def silence(self):
        """From now on nothing comes, and no end."""
        self._say("silent")

    def fail(self, kind="gone"):
        """Ends it with an ERROR event: "gone" (410) or "error" (500)."""
        self._say(kind)

    def bookmark(self):
        with self.store.changed:
            self._bookmark_wanted = True
            self.store.changed.notify_all()

    # What the client gets.

    def stream(self):
        try:
            yield from self._stream()
        finally:
            self.over = True

    def _stream(self):
        if self._fault and self._fault.kind in ENDINGS | {"silent"} and not self._fault.after:
            yield from self._end(self._fault.kind)
            return
        if self._initial is not None:
            for entry in self._initial:
                yield _line(ADDED, self._render(entry))
            self._initial = None
            if self._initial_end:
                yield self._mark({INITIAL_END: "true"})
        until = time.monotonic() + self._seconds
        next_mark = time.monotonic() + self._bookmark_seconds
        while True:
            with self.store.changed:
                lines = self._pending()
                now = time.monotonic()
                if not lines and not self._order and not self._bookmark_wanted:
                    if self.stopped() or self._client_is_gone():
                        return
                    if now < until and not (self._bookmarks and now >= next_mark):
                        self.store.changed.wait(min(until, now + 0.5, *(
                            [next_mark] if self._bookmarks else [])) - now + 0.001)
                        continue
            for line in lines:
                yield line
                self._delivered += 1
                if self._fault and self._fault.kind in ENDINGS | {"silent"} and (
                        self._delivered >= self._fault.after):
                    self._order = self._fault.kind
                    break
            if self._order:
                yield from self._end(self._order)
                return
            if self._bookmark_wanted or (self._bookmarks and now >= min(next_mark, until)):
                self._bookmark_wanted = False
                yield self._mark()
                next_mark = time.monotonic() + self._bookmark_seconds
            if now >= until:
                return

    def _client_is_gone(self):
        """Nobody sends anything in a watch but the end of the connection."""
        connection = self.call.request.connection
        try:
            return bool(select.select([connection], [], [], 0)[0])
        except (OSError, ValueError):
            return True

    def _end(self, kind):
        if kind == "silent":
            while not self.stopped() and self._order != "close" and not self._client_is_gone():
                time.sleep(0.05)
            return
        if last := ending(kind):
            yield last
        if kind == "torn":
            raise ConnectionAbortedError

    def _mark(self, annotations=None):
        metadata = {"resourceVersion": str(self.since), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        return _line("BOOKMARK", json.dumps({**self._blank, "metadata": metadata}).encode())

    def _pending(self):
        """The lines of what has changed; the caller holds the lock."""
        try:
            changes = self.store.changes(self.since)
        except ApiError as gone:
            self._order = self._order or "close"
            return [_line("ERROR", json.dumps(gone.status()).encode())]
        lines = []
        for change in changes:
            self.since = change.revision
            if change.storage == self.storage and (line := self._line_of(change)):
                lines.append(line)
        return lines

    def _line_of(self, change):
        """An object that comes into the selection is ADDED, one that leaves it DELETED."""
        now = change.kind != DELETED and self._accept(change.entry)
        before = change.before is not None and self._accept(change.before)
        if now:
            return _line(MODIFIED if before else ADDED, self._render(change.entry))
        if before:
            if change.kind == DELETED:
                return _line(DELETED, self._render(change.entry))
            return _line(DELETED, self._render(change.before, change.revision))
        return None
