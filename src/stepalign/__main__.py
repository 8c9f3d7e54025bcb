"""`python -m stepalign`: the same as the command `stepalign`."""

import sys

from stepalign.cli import main

if __name__ == "__main__":
    sys.exit(main())
