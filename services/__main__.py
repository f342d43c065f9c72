"""`python -m services` is `hedgerow` under its other name."""

import sys

from infra.command import main

if __name__ == "__main__":
    sys.exit(main())
