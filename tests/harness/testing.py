"""Running a file of tests under ctest: what was left out is said aloud, and a file of which all
was left out is reported as skipped."""

import concurrent.futures
import itertools
import pathlib
import sys
import tempfile
import time
import unittest

SKIPPED = 77  # tests/CMakeLists.txt knows it as SKIP_RETURN_CODE


class Case(unittest.TestCase):
    """A test case that cleans up after itself."""

    def enter(self, context):
        """Enters a context that is left at the end of the test."""
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def scratch(self):
        """A new directory that goes with the test."""
        return pathlib.Path(self.enter(tempfile.TemporaryDirectory(prefix="ebbgate-test-")))


class SideBySide(unittest.TextTestRunner):
    """Runs `at_once` tests at a time, each in a thread of its own; those of a class that `is_alone`
    follow, one by one."""

    def __init__(self, at_once):
        super().__init__(verbosity=2)
        self._at_once = at_once

    @staticmethod
    def _tests(suite):
        for each in suite:
            yield from SideBySide._tests(each) if isinstance(each, unittest.TestSuite) else [each]

    def run(self, suite):
        result, begin = self._makeResult(), time.monotonic()

        def run_one(test):
            own = unittest.TestResult()
            test.run(own)
            return test, own
        tests, alone = [], []
        for each in self._tests(suite):
            (alone if getattr(each, "is_alone", False) else tests).append(each)
        with concurrent.futures.ThreadPoolExecutor(self._at_once) as pool:
            ended = itertools.chain(pool.map(run_one, tests), map(run_one, alone))
            for test, own in ended:
                for kind in ("errors", "failures", "skipped", "unexpectedSuccesses"):
                    getattr(result, kind).extend(getattr(own, kind))
                result.testsRun += own.testsRun
                self.stream.writeln(f"{test} ... {'ok' if own.wasSuccessful() else 'FAILED'}")
        result.printErrors()
        self.stream.writeln(f"Ran {result.testsRun} tests in {time.monotonic() - begin:.3f}s")
        return result


def main(at_once=1):
    """`at_once`: how many tests run side by side. For such as mostly wait, and have nothing in
    common: neither a class's fixtures nor an address."""
    runner = SideBySide(at_once) if at_once > 1 else None
    program = unittest.main(module="__main__", exit=False, verbosity=2, testRunner=runner)
    result = program.result
    for case, reason in result.skipped:
        print(f"SKIPPED: {case.id()}: {reason}", flush=True)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.skipped and len(result.skipped) == result.testsRun else 0)
