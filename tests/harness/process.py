"""Processes that a test starts: their output as lines one can wait for, and their certain end."""

import atexit
import ctypes
import os
import re
import signal
import subprocess
import threading
import time

# Generous, since sanitizer builds on a busy machine are slow; reached only by a test that fails.
PATIENCE = float(os.environ.get("EBBGATE_TEST_PATIENCE", "20"))  # seconds

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Lines:
    """The lines of one output stream, collected as they come."""

    def __init__(self, stream):
        self._lines, self._changed, self._ended = [], threading.Condition(), False
        self._thread = threading.Thread(target=self._collect, args=(stream,), daemon=True)
        self._thread.start()

    def _collect(self, stream):
        for raw in iter(stream.readline, b""):
            with self._changed:
                self._lines.append(raw.decode("utf-8", "backslashreplace").rstrip("\n"))
                self._changed.notify_all()
        stream.close()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def all(self):
        with self._changed:
            return list(self._lines)

    def wait_for(self, accept, start=0, patience=PATIENCE):
        """The first line from number `start` on that `accept` (a function or a regular
        expression) takes; None where the stream ends or time runs out before."""
        if isinstance(accept, str):
            accept = re.compile(accept).search
        deadline, seen = time.monotonic() + patience, start
        with self._changed:
            while True:
                while seen < len(self._lines):
                    line = self._lines[seen]
                    seen += 1
                    if accept(line):
                        return line
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    return None
                self._changed.wait(left)


class Process:
    """A program that runs until stop() or the end of the test, whichever way that comes."""

    def __init__(self, command, **options):
        self.command = [str(part) for part in command]
        options = {"stdout": subprocess.PIPE, **options}
        self._process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=lambda: _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), **options)
        self.out = Lines(self._process.stdout) if self._process.stdout else None
        self.err = Lines(self._process.stderr)
        atexit.register(self.kill)

    @property
    def pid(self):
        return self._process.pid

    def is_running(self):
        return self._process.poll() is None

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, patience=PATIENCE):
        """Its exit code, once it has ended."""
        return self._process.wait(patience)

    def kill(self):
        if self.is_running():
            self._process.kill()
            self._process.wait()

    def stop(self, patience=PATIENCE):
        """Asks it to end, and returns its exit code; kills it where it does not listen."""
        if self.is_running():
            self._process.terminate()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def wait_until(is_true, patience=PATIENCE, what="the condition"):
    """Asks every few milliseconds, for what announces itself in no other way."""
    deadline, pause = time.monotonic() + patience, threading.Event()
    while not is_true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {patience:g} s")
        pause.wait(0.005)
