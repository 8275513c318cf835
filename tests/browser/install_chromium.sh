#!/bin/sh
# Sees to a chromium for the browser tests: installs Debian's where it is missing and that is allowed.
# Never fails: without one the browser tests do, and say so.
set -u

command -v chromium > /dev/null && exit 0

if command -v apt-get > /dev/null; then
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif sudo -n true 2> /dev/null; then
        as_root='sudo -n'
    else
        as_root=no
    fi
    if [ "$as_root" != no ]; then
        echo 'Installing chromium for the browser tests ...'
        $as_root apt-get update -qq \
            && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium > /dev/null \
            && command -v chromium > /dev/null && exit 0
    fi
fi

echo 'The browser tests need `chromium` on the PATH and will fail: install it (Debian: apt install chromium).' >&2
exit 0
