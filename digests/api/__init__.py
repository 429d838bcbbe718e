"""The papers as JSON, in the shape of Hugging Face's API: its official client reads ours unchanged."""
