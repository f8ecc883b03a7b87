"""Running a file of tests under ctest: what was left out is said aloud, and a file of which all
was left out is reported as skipped."""

import pathlib
import sys
import tempfile
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


def main():
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    for case, reason in result.skipped:
        print(f"SKIPPED: {case.id()}: {reason}", flush=True)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.skipped and len(result.skipped) == result.testsRun else 0)
