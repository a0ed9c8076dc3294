"""Pictures: the only room that knows Pillow and the font (Noto Sans, SIL Open Font License)."""
