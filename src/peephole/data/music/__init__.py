"""Music: MIDI files and piano-roll JSON on the way to arrays, and back to MIDI."""
