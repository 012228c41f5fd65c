"""What vectors of words know: analogies, similarities, capitals, density. Nothing here changes them."""
