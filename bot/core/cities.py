"""Cities as people type them, for those that IANA's time zones do not name so."""

from __future__ import annotations

_BY_ZONE = {
    "America/Mexico_City": "cdmx, ciudad de mexico, mexico, guadalajara, puebla, oaxaca",
    "America/New_York": "nueva york, nyc, boston, philadelphia, filadelfia, washington, miami, "
    "atlanta, baltimore, pittsburgh, cleveland, orlando, charlotte, newark, the bronx, brooklyn",
    "America/Chicago": "houston, dallas, austin, san antonio, new orleans, nueva orleans, "
    "minneapolis, milwaukee, st louis, kansas city, memphis, nashville",
    "America/Denver": "albuquerque, salt lake city, santa fe, el paso",
    "America/Los_Angeles": "san francisco, oakland, san diego, seattle, portland, sacramento, "
    "fresno, las vegas",
    "America/Bogota": "medellin, cali, barranquilla, cartagena",
    "America/Argentina/Buenos_Aires": "la plata",
    "America/Santiago": "santiago de chile, valparaiso",
    "America/Lima": "cusco, cuzco, arequipa",
    "America/Guayaquil": "quito, cuenca",
    "America/Caracas": "maracaibo, valencia venezuela",
    "America/Havana": "la habana",
    "America/Puerto_Rico": "ponce, mayaguez",
    "America/Sao_Paulo": "rio de janeiro, belo horizonte, brasilia",
    "Europe/Madrid": "barcelona, sevilla, valencia, bilbao, zaragoza, malaga",
    "Europe/London": "londres, manchester, birmingham, glasgow, liverpool, cardiff",
    "Europe/Paris": "lyon, marsella, marseille",
    "Europe/Rome": "roma, milan, napoles",
}

ZONES = {city.strip(): zone for zone, cities in _BY_ZONE.items() for city in cities.split(",")}
"""The IANA zone by a city's plain name: small letters, no accents."""
