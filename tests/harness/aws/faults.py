"""What may go wrong on the way to AWS and back. A test orders faults by name, for the next calls of
an operation, or has them drawn at random from a seed."""

import random
import threading

# Before the operation is done: it was never carried out.
BEFORE = ("throttle", "500", "503", "hang", "reset", "expired", "skewed")
# After it: it was carried out, and the answer is spoiled.
AFTER = ("slow", "truncated", "empty", "html", "wrong-length", "malformed", "lost", "skewed-date")
KINDS = BEFORE + AFTER


class Faults:
    """`service` is a credential scope ("ssm", "monitoring") or "imds" or "container"; "*" is any."""

    def __init__(self):
        self._orders, self._lock = [], threading.Lock()
        self._random = self._rate = self._kinds = self._services = None

    def next(self, service, operation, kind, count=1):
        """The next `count` calls fail so (None: all, until clear())."""
        assert kind in KINDS, kind
        with self._lock:
            self._orders.append([service, operation, kind, count])

    def random(self, seed, rate, kinds=KINDS, services=None):
        """Each call of `services` (all) fails with the probability `rate`."""
        with self._lock:
            self._random, self._rate, self._kinds = random.Random(seed), rate, tuple(kinds)
            self._services = services

    def clear(self):
        with self._lock:
            self._orders.clear()
            self._random = None

    def pending(self):
        """How many orders of next() have not been used up."""
        with self._lock:
            return sum(1 for order in self._orders if order[3] is not None)

    def take(self, service, operation):
        """The fault that this call meets, or None."""
        with self._lock:
            for order in self._orders:
                if order[0] in ("*", service) and order[1] in ("*", operation):
                    if order[3] is not None:
                        order[3] -= 1
                        if not order[3]:
                            self._orders.remove(order)
                    return order[2]
            if (self._random and (self._services is None or service in self._services)
                    and self._random.random() < self._rate):
                return self._random.choice(self._kinds)
            return None


HTML = b"<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>\n"


def spoil(response, kind):
    """A good answer, spoiled."""
    if kind in ("slow", "truncated", "wrong-length"):
        response.delivery = kind
    elif kind == "lost":  # carried out, and the connection breaks before the answer
        response.delivery = "reset"
    elif kind == "empty":
        response.status, response.body = 200, b""
        response.headers = [h for h in response.headers if h[0].lower() != "content-length"]
    elif kind == "html":
        response.status, response.body = 200, HTML
        response.headers = [h for h in response.headers if h[0].lower() != "content-length"]
        response.set("Content-Type", "text/html")
    elif kind == "malformed":  # whole by its length, and not by its grammar
        response.body = response.body[:max(len(response.body) * 2 // 3, 1)].rstrip(b"}>") or b"<"
        response.headers = [h for h in response.headers if h[0].lower() != "content-length"]
    return response
