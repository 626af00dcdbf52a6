"""The recorder documents by content, behind one port; and the sealing of the secrets in them."""
