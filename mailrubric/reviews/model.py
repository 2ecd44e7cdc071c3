"""Which file of weights this version was released with. Written by ``bench/sentiment/train.py``."""

from typing import Final

VERSION: Final = "1"
SHA256: Final = "61fe92d03cb6152aacabd4c769053b1cef9387c952ec7442bad04b615be1ecf5"
