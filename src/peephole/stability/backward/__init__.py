"""What gradients do on the way back: flow, Jacobians, bounds, the carousel, the parts of each lag; depth."""
