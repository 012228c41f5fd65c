"""Language models as decoders ask them: how likely is this piece of text after that one. They are fitted elsewhere, or
counted here; nothing here decodes.
"""
