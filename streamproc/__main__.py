"""``python -m streamproc``."""

from streamproc.cli import program

if __name__ == "__main__":
    program()
