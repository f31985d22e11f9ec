"""`python -m xbdcnn` is the command `xbdcnn`."""

from xbdcnn.cli import app

if __name__ == "__main__":
    app()
