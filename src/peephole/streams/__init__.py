"""One step at a time: a model packed once (`snapshot`), and many streams over it, each with its own state (`stream`).

Models hand themselves over as tensors (`source`). Nothing here knows modules, text or files other than its own.
"""
