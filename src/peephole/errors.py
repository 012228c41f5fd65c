"""The error that a user can mend: what was handed in cannot be used."""


class InputError(ValueError):
    """Something a user handed in (a file, a setting, a run folder) cannot be used.

    The message is one line: what was got, what was expected, what to do. The command line prints it as it is and exits
    with status 2; every other exception is a defect of ours and keeps its traceback.
    """
