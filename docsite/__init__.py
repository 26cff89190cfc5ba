"""How the documentation is made: what mkdocs is given besides the files of ``docs/``, and the
commands that write pages, pictures, diagrams and notebooks which are committed."""
