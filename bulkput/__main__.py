"""`python -m bulkput` is the same as `bulkput`."""

from bulkput.cli.main import main

main()
