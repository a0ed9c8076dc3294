"""Over HTTP: the webhook, health and figures; the only room that knows Starlette and uvicorn."""
