"""The bot's promises, proved on real processes and real HTTP, by kills, by chance and by fuzz."""
