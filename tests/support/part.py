"""part.py FILE NTH OF: runs every OF-th test of FILE, beginning with the NTH (from 1). All parts together are the file."""
import importlib.util
import sys
import unittest


def each(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def main(file, nth, of):
    spec = importlib.util.spec_from_file_location("__main__part", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    tests = list(each(unittest.defaultTestLoader.loadTestsFromModule(module)))
    mine = tests[int(nth) - 1::int(of)]
    if not mine:
        sys.exit(f"error: {file} has {len(tests)} tests: too few for {of} parts")
    sys.exit(not unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(mine)).wasSuccessful())


if __name__ == "__main__":
    main(*sys.argv[1:])
