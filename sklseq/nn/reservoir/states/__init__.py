"""States of reservoirs, block by block."""
