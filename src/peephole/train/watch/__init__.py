"""Looking inside a training: what a net does on a few held-out sequences, every so many steps, as rows and sentences.

The measuring changes nothing in the training; what is measured is held as plain numbers. Draws results, prints nothing.
"""
