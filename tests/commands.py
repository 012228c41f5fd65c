"""Words of the command line, as tests give them."""


def without_report(words: tuple[object, ...]) -> tuple[object, ...]:
    """The words of a command; of a training without its report, unless they speak of one."""
    silent = words[:1] == ("train",) or words[:2] == ("embed", "tdnn")
    silent = silent and not {"--report", "--no-report"} & {str(word) for word in words}
    return (*words, "--no-report") if silent else words
