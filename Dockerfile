# One image for every process; compose.yaml and Procfile say which runs what.
FROM python:3.11.14-slim-bookworm
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9 \
 && useradd --system --uid 10001 --home-dir /data coach \
 && install --directory --owner coach --mode 700 /data /backups
WORKDIR /app
# What is installed changes seldom, so it comes first and is kept between builds.
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --locked --no-dev --no-install-project --no-cache
COPY bot bot
COPY prompts prompts
COPY corpus corpus
RUN uv sync --locked --no-dev --no-cache
ENV PATH=/app/.venv/bin:$PATH COACH_HOME=/data COACH_LOG=json PYTHONUNBUFFERED=1
USER coach
CMD ["coach", "run"]
