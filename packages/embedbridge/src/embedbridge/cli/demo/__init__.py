"""`embedbridge demo`: the same passages, or pictures, searched through both frameworks."""
