"""``python -m streamproc``."""

import sys

from streamproc.cli import main

if __name__ == "__main__":
    sys.exit(main())
