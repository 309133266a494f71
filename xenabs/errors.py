"""What goes wrong in a way that a person can mend."""


class XenabsError(Exception):
    """One sentence that says what is wrong and what to do; the CLI prints it and exits with 1."""
