"""`python -m tracedbg`: the same as the command `tracedbg`."""

import sys

from tracedbg.cli import main

if __name__ == "__main__":
    sys.exit(main())
