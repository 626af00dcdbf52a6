"""A simulated site around the real machine of the recording service: for proofs on a virtual clock, the demo, training and the tests."""
