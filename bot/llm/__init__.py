"""The model coach behind ports.Coach; the only room that knows openai and langchain."""
