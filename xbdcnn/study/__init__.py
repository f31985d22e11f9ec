"""The study of the paper: its tables, its ablations, the audit, and their reproduction."""
