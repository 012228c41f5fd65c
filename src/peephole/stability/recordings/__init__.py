"""A net on a batch, kept whole: `record` makes a `Recording` of `Passage`s, one a layer and direction."""
