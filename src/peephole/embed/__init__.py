"""Words as vectors: learnt from a text, read and written, and what they know.

`vectors` has the words with their vectors; `corpus` turns text into numbers of words, `learning` has skip-gram and
CBOW, `files` word2vec's formats, `measuring` what is asked of vectors, which never changes them. What does not live
here: nets that learn vectors on their way (`models`, `tasks`).
"""
