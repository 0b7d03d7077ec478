"""``python -m fastlogit`` is the command line ``fastlogit``."""

from .cli import main

if __name__ == "__main__":
    main()
