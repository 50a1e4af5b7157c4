# Sourced by tools that use a browser: names Debian's Chromium in $CHROMIUM, and installs it where it may.
if [ -z "${CHROMIUM:-}" ]; then
  if ! command -v chromium >/dev/null; then
    [ "$(id -u)" = 0 ] || { echo "$0: install Chromium, or name one in \$CHROMIUM" >&2; exit 1; }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null
  fi
  CHROMIUM=$(command -v chromium)
  export CHROMIUM
fi
