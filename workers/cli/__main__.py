"""`python -m workers.cli`, the same as `segsync`."""

from workers.cli import main

main()
