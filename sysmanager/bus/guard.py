"""Runs the NATS server for as long as the process that started this one lives; it needs nothing but the standard library.

Started as `python guard.py BINARY CONFIG` with a pipe as its standard input, to which nothing is written: the pipe ends when the
parent closes it, and also when the parent is killed, on every platform. Then the server is ended. When the server ends by itself,
this process ends with its exit status.
"""

import os
import subprocess
import sys
import threading

TERMINATE_TIMEOUT_S = 3


def main(binary: str, config: str) -> int:
    hidden = 0
    if sys.platform == "win32":
        hidden = subprocess.CREATE_NO_WINDOW
    server = subprocess.Popen(
        [binary, "-c", config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, creationflags=hidden
    )

    def end_with_parent() -> None:
        while os.read(0, 4096):
            pass
        server.terminate()
        try:
            server.wait(TERMINATE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()

    threading.Thread(target=end_with_parent, daemon=True).start()
    return server.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
