"""``python -m mailrubric`` is the same as ``mailrubric``."""

import sys

from mailrubric.cli import main

sys.exit(main())
