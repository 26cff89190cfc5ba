"""Commands in processes of their own, in pipes and on terminals."""

import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import termios


def panoptic(*arguments, **options):
    command = [sys.executable, "-m", "panoptic.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


def in_a_terminal(*arguments, columns=100):
    """What a command shows on a terminal so wide (colours left away), and its code."""
    return run_in_a_terminal([sys.executable, "-m", "panoptic.cli", *map(str, arguments)], columns)


def one_by_one(*commands):
    """Several commands in one process, as each new one loads torch: what to run, for the above
    and below. Each is followed by a line with its code, such as ``exit 0``."""
    program = "import json, sys\nfrom panoptic.cli import main\n"
    program += "for given in json.loads(sys.argv[1]):\n    print('exit', main(given))\n"
    given = json.dumps([[str(argument) for argument in command] for command in commands])
    return [sys.executable, "-c", program, given]


def run_in_a_terminal(command, columns=100, stdout=None):
    """The same for any program; its stdout may go to a file instead."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, columns, 0, 0))
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(command, stdout=stdout or theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return process.wait(), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def last_line(capsys):
    return capsys.readouterr().err.strip().splitlines()[-1]
