"""Running the notebooks, and repeating a recorded run."""
