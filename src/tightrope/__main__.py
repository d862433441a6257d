"""`python -m tightrope` is the same program as `tightrope`."""

from tightrope.cli.main import main

raise SystemExit(main())
