"""Images from outside: fetched behind an SSRF guard, checked by their header, decoded safely."""
