"""Command line entry point: `python -m xbdcnn` runs the command `xbdcnn`."""

from xbdcnn.cli import app

if __name__ == "__main__":
    app()
