"""What is about this paper: its tables, ablations and audit, and how they are reproduced."""
