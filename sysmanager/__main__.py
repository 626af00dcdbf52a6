"""`python -m sysmanager`: the same as the command `sysmanager`."""

import sys

if __name__ == "__main__":
    try:
        from sysmanager.app.main import main
    except KeyboardInterrupt:  # before it had begun
        sys.exit(130)
    sys.exit(main())
