FROM python:3.11-slim
RUN useradd --system --create-home segsync
WORKDIR /srv/segsync
COPY pyproject.toml README.md LICENSE segsync.py celeryconfig.py ./
COPY workers workers
COPY tasks tasks
# Which extras are in it, with commas between: docker compose build --build-arg EXTRAS=console,mssql
ARG EXTRAS=console
RUN pip install --no-cache-dir ".[${EXTRAS}]"
USER segsync
# Each service of docker-compose.yml says what it runs.
CMD ["segsync", "--help"]
