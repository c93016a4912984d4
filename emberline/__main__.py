"""`python -m emberline`: the command, where no script is on the path."""

import sys

from emberline.jobs.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
