"""What etcd and the API server's watch cache are together: objects, each at the revision that wrote
it, and the history of changes that watches and consistent lists are served from."""

import bisect
import collections
import itertools
import json
import threading

from .errors import too_large, too_old

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"


class Entry:
    """One object as one revision left it: never changed, so that it can be shared. Its octets are
    made when somebody asks, or the object of the octets."""

    __slots__ = ("key", "revision", "_object", "_octets")

    def __init__(self, key, revision, document=None, octets=None):
        self.key, self.revision, self._object, self._octets = key, revision, document, octets

    @property
    def object(self):
        if self._object is None:
            self._object = json.loads(self._octets)
        return self._object

    @property
    def octets(self):
        if self._octets is None:
            self._octets = json.dumps(self._object, separators=(",", ":")).encode()
        return self._octets


Change = collections.namedtuple("Change", "revision kind storage key entry before")


class Store:
    """Keyed by storage, then by (namespace, name). Each change has a revision of its own, so that
    the history is indexed by it. Whoever writes holds `lock` from reading to writing."""

    def __init__(self, revision=1000, keeps=300_000):
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.revision, self.keeps = revision, keeps
        self.compacted = revision  # changes up to here are forgotten
        self._history = collections.deque()
        self._objects = collections.defaultdict(dict)
        self._keys = {}  # storage -> sorted keys, while they hold

    def get(self, storage, key):
        return self._objects[storage].get(key)

    def count(self, storage):
        return len(self._objects[storage])

    @staticmethod
    def is_too_large(document):
        """Whether etcd takes no such object: it has a limit of 1.5 MiB."""
        return len(json.dumps(document)) > 3 << 19

    def next_revision(self):
        return self.revision + 1

    def put(self, storage, key, document):
        """Writes an object, whose metadata.resourceVersion has to be next_revision()."""
        with self.changed:
            before = self._objects[storage].get(key)
            entry = Entry(key, self.revision + 1, document)
            return self._put(storage, key, entry, before)

    def put_octets(self, storage, key, octets):
        """The same for an object that is serialised already: for many of them."""
        with self.changed:
            return self._put(storage, key, Entry(key, self.revision + 1, octets=octets),
                             self._objects[storage].get(key))

    def _put(self, storage, key, entry, before):
        if before is None:
            self._keys.pop(storage, None)
        self._objects[storage][key] = entry
        self._record(MODIFIED if before else ADDED, storage, key, entry, before)
        return entry

    def delete(self, storage, key, document):
        """Takes an object away; `document` is its last state, at next_revision()."""
        with self.changed:
            before = self._objects[storage].pop(key)
            self._keys.pop(storage, None)
            entry = Entry(key, self.revision + 1, document)
            self._record(DELETED, storage, key, entry, before)
            return entry

    def _record(self, kind, storage, key, entry, before):
        self.revision += 1
        self._history.append(Change(self.revision, kind, storage, key, entry, before))
        if len(self._history) > self.keeps:
            self.compacted = self._history.popleft().revision
        self.changed.notify_all()

    def compact(self):
        """Forgets all history: every older resourceVersion is gone."""
        with self.changed:
            self._history.clear()
            self.compacted = self.revision

    def _sorted(self, storage):
        if storage not in self._keys:
            self._keys[storage] = sorted(self._objects[storage])
        return self._keys[storage]

    def list(self, storage, namespace=None, at=None, after=None):
        """(entries in order, revision): as of the revision `at` (now), from behind the key `after`.
        Raises 410 where `at` is forgotten, 504 where it is still to come."""
        with self.lock:
            if at is not None and at > self.revision:
                raise too_large(at, self.revision)
            if at is not None and at < self.compacted:
                raise too_old(at, self.compacted)
            objects, keys = self._objects[storage], self._sorted(storage)
            if at is not None:
                past = self._reverted(storage, at)
                if past:
                    objects = {**objects, **past}
                    keys = sorted(key for key, entry in objects.items() if entry)
            start = bisect.bisect_right(keys, after) if after else 0
            if namespace is not None:
                start = max(start, bisect.bisect_left(keys, (namespace, "")))
                end = bisect.bisect_left(keys, (namespace + "\0", ""))
            else:
                end = len(keys)
            entries = [objects[key] for key in keys[start:end]]
            return entries, self.revision if at is None else at

    def _reverted(self, storage, at):
        """What the objects that changed since `at` were then (None: not there)."""
        out = {}
        for change in reversed(self._history):
            if change.revision <= at:
                break
            if change.storage == storage:
                out[change.key] = change.before
        return out

    def changes(self, since, storage=None):
        """The changes after the revision `since`; 410 where they are forgotten. Holds no lock, so
        that the caller has it."""
        if since < self.compacted:
            raise too_old(since, self.compacted)
        count = max(self.revision - since, 0)
        last = list(itertools.islice(reversed(self._history), count))
        return [change for change in reversed(last) if storage in (None, change.storage)]
