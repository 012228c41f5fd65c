"""The run folder, the interface between commands: read, write whole, lock, list.

A run holds `config.json`, `tokenizer.json`, `data/`, `model.safetensors`, `checkpoint/` and `history.jsonl`. Nothing in
it is pickled; every file is written beside, synced and renamed.
"""
