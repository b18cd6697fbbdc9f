"""``python -m yunwang``: the same as ``yw``."""

import sys

from yunwang.cli import main

sys.exit(main())
