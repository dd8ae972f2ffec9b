"""``python -m wirelax``."""

import sys

from wirelax.cli import main

sys.exit(main())
