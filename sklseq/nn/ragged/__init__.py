"""Steps of sequences of many lengths: packing, pooling, scale."""
