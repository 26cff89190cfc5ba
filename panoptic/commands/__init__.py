"""The subcommands of ``panoptic``, one module each. How to add one:

1. A module here with a function ``run`` whose parameters are typer's: ``Annotated[type, Option or
   Argument]``. Its docstring is the command's help. What several commands share (models, words,
   settings) are dataclasses of such options in ``common``; a parameter of that type stands for all
   of them, and one instance as its default changes defaults.
2. ``run`` returns the exit code: 0 all done, 1 a part could not be done. For what the user can
   mend it raises ``ValueError`` or ``OSError``: one line on stderr and code 2; --traceback and
   interruption are taken care of. What can be wrong about a request is found before models load.
3. ``register`` adds it with a panel of ``panoptic --help``; ``panoptic.cli`` calls that.
4. Nothing heavy (torch, numpy, transformers) is imported before ``run`` runs: --help is quick.
5. Results go to stdout by ``terminal.show``: rich tables on a terminal, plain lines with columns
   two or more spaces apart in a pipe. Errors go to stderr, and so does a ``ProgressBar`` on a
   terminal; what the work itself logs becomes lines above it by ``terminal.LogLines``.
"""
