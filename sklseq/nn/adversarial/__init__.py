"""Networks that are trained against a discriminator."""
