"""``python -m bench``: everything, for this interpreter; see run.py."""

import sys

from bench.run import main

sys.exit(main())
