"""Entry point of `python -m cvnlp.cli`."""

from cvnlp.cli import main

main()
