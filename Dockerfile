# One image for web, worker, learner and beat: the command says which.
# The base is named by its minor version, without a digest, so that `docker build --pull` brings its security fixes; what
# is built from it is then tagged by you, and that is what you deploy and go back to.
FROM python:3.13-slim AS build
WORKDIR /app
RUN python -m venv /venv
COPY requirements/production.txt requirements/production.txt
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/production.txt

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Daily Papers" \
      org.opencontainers.image.description="A self-hosted newsletter of research papers" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 VAR_DIR=/var/lib/daily-papers
# pg_dump and psql, which backups are made and put back with: as new as the database in the compose file, or newer.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/daily-papers --create-home papers
WORKDIR /app
COPY --from=build /venv /venv
COPY manage.py pyproject.toml ./
COPY config config
COPY papers papers
COPY subscriptions subscriptions
COPY digests digests
COPY mailer mailer
COPY limits limits
COPY templates templates
COPY locale locale
COPY static static
# The program does not run as the files' owner, and they may have been fetched under a strict umask. Static files need no
# secret, but settings ask for some: these are made up, used here alone, and not kept.
RUN chmod -R a+rX /app \
    && DATABASE_URL=sqlite:////tmp/none SITE_URL=https://build.invalid EMAIL_PROVIDER=smtp POSTAL_ADDRESS=none \
    SECRET_KEY=made-up-for-the-build-0123456789-one LINK_KEY=made-up-for-the-build-0123456789-two \
    ADDRESS_KEY=made-up-for-the-build-0123456789-three python manage.py collectstatic --noinput
USER 10001
EXPOSE 8000
CMD ["gunicorn", "config.wsgi", "--config", "python:config.gunicorn"]
