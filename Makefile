# Everything a newcomer and CI need, by name. `make` alone lists it.

# Where the program writes; the same default as in config/settings.py.
DIR := $(or $(VAR_DIR),var)
VENV := .venv
# What was installed is noted in the environment itself, so that a second call costs nothing.
LOCAL := $(VENV)/.installed-local
DEV := $(VENV)/.installed-dev
PIP := $(VENV)/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-input --require-hashes

.DEFAULT_GOAL := help
.PHONY: help setup run demo test mailcheck pictures lighthouse messages chaos compose-test bench check requirements clean

help: ## List what there is
	@echo "Daily Papers. make ..."
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16
	@echo "Settings: PORT=8001  VAR_DIR=var  OFFLINE=1  PYTHON=python3.12  (docs/settings.md has all)"

setup: $(DEV) ## Install everything, the tools for tests and checks included

# DATABASE_URL is asked for here, too: with it the settings want all that production needs before any command starts.
run: $(LOCAL) ## Run the site, worker, beat and queue on this machine; Ctrl-C ends all of it
	@if [ -n "$$DATABASE_URL$$DATABASE_URL_FILE" ]; then \
		echo "DATABASE_URL is set, which means production; for this machine alone: env -u DATABASE_URL make run" >&2; \
		exit 1; \
	fi
	@exec $(VENV)/bin/python manage.py run_local

demo: $(LOCAL) ## One loop without servers, from feed to mail: make demo [FEED=path KIND=rss]
	@rm -rf "$(DIR)/demo"
	@env -u DATABASE_URL -u DATABASE_URL_FILE VAR_DIR="$(DIR)/demo" LOG_LEVEL=$(or $(LOG_LEVEL),WARNING) \
		$(VENV)/bin/python manage.py demo $(if $(FEED),--feed "$(FEED)") $(if $(KIND),--kind "$(KIND)")

test: $(DEV) ## Run every test; FAST=1 only those that need no worker, browser or PostgreSQL
	@$(VENV)/bin/python -m tests.suite $(if $(filter-out 0,$(FAST)),--fast)

mailcheck: $(DEV) ## Hold every mail before real spam filters, a mail store and Node's checkers; installs them with apt and npm
	-@$(VENV)/bin/python -m tests.mails.tools --install
	@$(CLEAN_ENV) OFFLINE=1 REQUIRE_RUN=mailtools $(VENV)/bin/python -m pytest -p tests.not_run -n 2 --dist loadfile tests/mails

pictures: $(DEV) ## Take the pictures of mails and of the site in docs/pictures anew
	@$(CLEAN_ENV) $(VENV)/bin/python -m tests.mails.pictures
	@$(CLEAN_ENV) $(VENV)/bin/python -m tests.site.pictures

lighthouse: $(DEV) ## Lighthouse on the public pages as deployed, median of five; installs it with npm
	@$(CLEAN_ENV) $(VENV)/bin/python -m tests.site.lighthouse --install

messages: $(DEV) ## Bring the translations in locale/ up to date with the words of the program, and compile them
	@$(VENV)/bin/python -m tests.translations

chaos: $(DEV) ## Kill workers, queue and database while 10,000 digests are sent, then compare the books: CHAOS_N=10000
	@$(CLEAN_ENV) $(VENV)/bin/python -m tests.chaos $(if $(CHAOS_N),--digests $(CHAOS_N)) $(if $(ONLY),--only "$(ONLY)")

compose-test: $(DEV) ## Run docker-compose.yml for real with podman, from sign-up to digest; as root, installs podman with apt
	@$(CLEAN_ENV) $(VENV)/bin/python -m tests.compose

bench: $(DEV) ## Measure, write var/bench.json and docs/performance.md: BENCH_N=10000 ONLY=delivery
	@$(CLEAN_ENV) $(VENV)/bin/python -m tests.benchmarks $(ONLY)

# The last line checks what a real installation would run with; all its values are made up.
check: $(DEV) ## Check format, lint, types, import directions, migrations and deployment settings
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/bandit --quiet --configfile pyproject.toml --recursive config papers subscriptions digests mailer limits
	$(VENV)/bin/hadolint Dockerfile
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml docker-compose.secrets.yml
	@$(CHECK_ENV) $(VENV)/bin/python manage.py makemigrations --check --dry-run
	@$(CHECK_ENV) $(VENV)/bin/python manage.py check
	@$(CHECK_ENV) $(DEPLOY_ENV) $(VENV)/bin/python manage.py check --deploy --fail-level WARNING

# No index lines and no download addresses: any mirror serves the same files, and the hashes say so.
COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header pyproject.toml

requirements: ## Compile requirements/*.txt from pyproject.toml anew
	@$(VENV)/bin/python -m pip install --quiet uv
	$(COMPILE) --extra ses --extra sentry --output-file requirements/production.txt
	$(COMPILE) --extra local --constraint requirements/production.txt --output-file requirements/local.txt
	$(COMPILE) --extra local --extra evaluate --extra sentry --extra dev --constraint requirements/production.txt --output-file requirements/dev.txt

clean: ## Remove the virtual environment and all caches; VAR_DIR stays, it holds your data
	rm -rf $(VENV) staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the shell may hold and would send the runs elsewhere.
CLEAN_ENV := env -u DATABASE_URL -u DATABASE_URL_FILE -u REDIS_URL -u SITE_URL -u EMAIL_PROVIDER -u FETCH_ALLOW

CHECK_ENV := env -u DATABASE_URL -u DATABASE_URL_FILE -u FETCH_ALLOW -u SITE_URL -u EMAIL_PROVIDER \
	VAR_DIR="$(DIR)/check"
DEPLOY_ENV := DATABASE_URL=postgresql://papers:made-up@db.example.org/papers \
	REDIS_URL=redis://queue.example.org:6379/0 \
	SITE_URL=https://papers.example.org \
	SECRET_KEY=made-up-7c1f0a9be4d25386-8e0b5d7a3c9f4162-f3a96b0d52e8c741 \
	LINK_KEY=made-up-2d84b6e1f90c7a35-61c3f8a05e9d2b74-0b7e4d19a6f3c852 \
	ADDRESS_KEY=made-up-95e0c4b7d3a1f826-a8d7016c3f5e9b42-4c2f8e1b7d905a63 \
	EMAIL_PROVIDER=postmark ANYMAIL_POSTMARK_SERVER_TOKEN=made-up \
	WEBHOOK_SECRET=made-up-user:made-up-password-3f9c1d7e5a \
	DEFAULT_FROM_EMAIL="Daily Papers <papers@papers.example.org>" \
	REPLY_TO=editor@papers.example.org \
	TRUSTED_PROXIES=172.16.0.0/12 \
	POSTAL_ADDRESS="1 Example Street, 12345 Example Town"

# --- the virtual environment -------------------------------------------------------------------------------------

# The first Python that is new enough and really starts: pyenv leaves commands behind that do not.
$(VENV)/bin/python:
	@for python in $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			echo "Making $(VENV) with $$("$$python" --version) ..."; \
			"$$python" -m venv --clear $(VENV) && exit 0; \
			rm -rf $(VENV); \
			echo "$$python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; \
			exit 1; \
		fi; \
	done; \
	echo "Daily Papers needs Python 3.11 or newer; none of these is: $(or $(PYTHON),python3.14 ... python3.11, python3)." >&2; \
	echo "Install one, or name one: make PYTHON=/path/to/python3.12 ..." >&2; \
	exit 1

$(LOCAL): requirements/local.txt | $(VENV)/bin/python
	@echo "Installing what the site needs ..."
	@$(PIP) --requirement requirements/local.txt
	@touch $@

$(DEV): requirements/dev.txt $(LOCAL) | $(VENV)/bin/python
	@echo "Installing the tools for tests and checks ..."
	@$(PIP) --requirement requirements/dev.txt
	@touch $@
