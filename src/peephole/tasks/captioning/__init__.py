"""Captions of pictures: an encoder of convolutions, a decoder that says words until the end."""
