"""Who signed a request: hashes and signatures, of either venue."""
