"""What may go wrong between a client and the API server. A test orders faults by name, for the next
calls of a verb and a resource, or has them drawn at random from a seed."""

import json
import random
import threading

from .errors import ApiError, expired, too_many

# The request is not carried out.
BEFORE = ("429", "500", "503", "504", "401", "403", "hang", "reset")
# It is, and the answer is spoiled.
AFTER = ("slow", "truncated", "lost", "html", "malformed")
# Of watches: no octet and no end; ended at once; broken off within an event; an ERROR event of 410;
# answered 410; an ERROR event of 500; an event that is no JSON; one of a type that nobody knows.
WATCH = ("silent", "close", "torn", "gone", "gone-status", "error", "garbage", "unknown-event",
         "slow")
KINDS = BEFORE + AFTER + WATCH
ENDINGS = {"gone", "error", "garbage", "torn", "close", "unknown-event"}

HTML = b"<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>\n"


class Fault:
    """`retry_after` is what 429 and 503 say, in seconds; `after` how many events a watch may
    deliver before its fault."""

    def __init__(self, kind, retry_after=1, after=0):
        assert kind in KINDS, kind
        self.kind, self.retry_after, self.after = kind, retry_after, after


class Faults:
    """`verb` as in RBAC, `resource` the plural, or the path of what is none; "*" is any."""

    def __init__(self):
        self._orders, self._lock = [], threading.Lock()
        self._random = self._rate = self._kinds = self._resources = None

    def next(self, verb, resource, kind, count=1, **options):
        """The next `count` calls meet it (None: all, until clear())."""
        with self._lock:
            self._orders.append([verb, resource, Fault(kind, **options), count])

    def random(self, seed, rate, kinds=KINDS, resources=None):
        """Each call of `resources` (all) meets one with the probability `rate`."""
        with self._lock:
            self._random, self._rate, self._kinds = random.Random(seed), rate, tuple(kinds)
            self._resources = resources

    def clear(self):
        with self._lock:
            self._orders.clear()
            self._random = None

    def pending(self):
        """How many orders of next() have not been used up."""
        with self._lock:
            return sum(1 for order in self._orders if order[3] is not None)

    def take(self, verb, resource):
        with self._lock:
            for order in self._orders:
                if order[0] in ("*", verb) and order[1] in ("*", resource):
                    if order[3] is not None:
                        order[3] -= 1
                        if not order[3]:
                            self._orders.remove(order)
                    return order[2]
            if (self._random and (self._resources is None or resource in self._resources)
                    and self._random.random() < self._rate):
                kind = self._random.choice(self._kinds)
                return Fault(kind) if verb == "watch" or kind in BEFORE + AFTER else None
            return None


def refuse(fault):
    """Raises what a fault of BEFORE answers."""
    kind, seconds = fault.kind, fault.retry_after
    if kind == "429":
        raise too_many(seconds)
    if kind == "500":
        raise ApiError(500, "Internal error occurred: etcdserver: request timed out")
    if kind == "503":
        raise ApiError(503, "the server is currently unable to handle the request",
                       headers=[("Retry-After", str(seconds))] if seconds else [])
    if kind == "504":
        raise ApiError(504, "Timeout: request did not complete within the allotted timeout")
    if kind == "401":
        raise ApiError(401, "Unauthorized")
    if kind == "403":
        raise ApiError(403, "forbidden: not yet authorized")
    if kind == "gone-status":
        raise expired("The resourceVersion for the provided watch is too old.")


def spoil(response, kind):
    """A good answer, spoiled."""
    if kind == "lost":
        response.delivery, response.stream = "reset", None
    elif kind in ("html", "malformed", "truncated") and response.stream is not None:
        response.body, response.stream = b"".join(response.stream), None
    if kind in ("slow", "truncated"):
        response.delivery = kind
    elif kind == "html":
        response.status, response.body = 200, HTML
        response.set("Content-Type", "text/html")
    elif kind == "malformed":
        response.body = response.body[:max(len(response.body) * 2 // 3, 1)].rstrip(b"}") or b"{"
    return response


def ending(kind):
    """The octets that a faulty watch ends with."""
    def event(name, status):
        return json.dumps({"type": name, "object": status}).encode() + b"\n"
    return {
        "gone": event("ERROR", expired("too old resource version: 1 (2)").status()),
        "error": event("ERROR", ApiError(500, "etcdserver: no leader").status()),
        "garbage": b'{"type":"ADDED","object":{]}\n',
        "unknown-event": event("RENAMED", {"kind": "Status", "apiVersion": "v1"}),
        "torn": b'{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"to',
        "close": b"",
    }[kind]
