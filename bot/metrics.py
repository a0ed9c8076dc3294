"""Figures for whoever watches the machine; the only room that knows prometheus-client."""
