"""`python -m sysmanager`: the same as the command `sysmanager`."""

import sys

from sysmanager.app.main import main

if __name__ == "__main__":
    sys.exit(main())
