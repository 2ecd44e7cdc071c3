"""Which file of weights this version was released with. Written by ``bench/sentiment/train.py``."""

from typing import Final

VERSION: Final = "1"
SHA256: Final = "4ddeb2bb3d37ce8ec69964bb89f46c67831edf5fd38eeed6fab3d58b346f73dd"
