"""The sections of the report: each takes what steps have made and returns HTML, or None where there is nothing."""
