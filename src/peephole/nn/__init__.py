"""Cells and layers as torch modules: RNN, LSTM, GRU and their cells, initialisation, weight exchange with torch.nn.

Signatures and parameter names are torch's; computation is `ops.run_layer`. No data, no training, no files.
"""
