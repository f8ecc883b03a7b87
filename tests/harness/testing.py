"""Running a file of tests under ctest: what was left out is said aloud, and a file of which all
was left out is reported as skipped."""

import sys
import unittest

SKIPPED = 77  # tests/CMakeLists.txt knows it as SKIP_RETURN_CODE


def main():
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    for case, reason in result.skipped:
        print(f"SKIPPED: {case.id()}: {reason}", flush=True)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.skipped and len(result.skipped) == result.testsRun else 0)
