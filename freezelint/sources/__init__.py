"""What is checked: files become Python text that remembers where it came from."""
