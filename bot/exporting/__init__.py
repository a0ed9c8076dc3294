"""Files that hold people's stories: written so that they are whole or not there, and erased."""
