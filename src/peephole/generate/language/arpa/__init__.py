"""ARPA files: n-grams as text, which SRILM, KenLM, Kaldi and others write and read.

Sections by length, each line log10 p, the n-gram, and log10 of the weight that it has as a context (Stolcke 2002,
`ngram-format`); `<s>` and `</s>` begin and end a sentence, `<unk>` is any word that the file lacks.
"""
