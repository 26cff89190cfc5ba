"""The subcommands of ``panoptic``: ``NAME``, ``HELP``, ``add_arguments`` and ``run`` each.

``run`` returns the exit code and raises ``ValueError`` or ``OSError`` for what the user can mend.
Nothing heavy is imported before it runs, so that ``--help`` is quick.
"""
