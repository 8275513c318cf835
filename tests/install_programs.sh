#!/bin/sh
# Sees to the programs that tests run beside Python: chromium for the browser tests, coturn for those of calls.
# Installs Debian's where one is missing and that is allowed. Never fails: without one its tests do, and say so.
set -u

missing=
command -v chromium > /dev/null || missing="$missing chromium"
command -v turnserver > /dev/null || missing="$missing coturn"
[ -n "$missing" ] || exit 0

if command -v apt-get > /dev/null; then
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif sudo -n true 2> /dev/null; then
        as_root='sudo -n'
    else
        as_root=no
    fi
    if [ "$as_root" != no ]; then
        echo "Installing what the tests run:$missing ..."
        $as_root apt-get update -qq \
            && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing > /dev/null \
            && installed=yes
        # The package starts a TURN server for everybody, which nobody asked for: the tests start their own.
        case "$missing" in
        *coturn*) command -v systemctl > /dev/null && $as_root systemctl --quiet disable --now coturn 2> /dev/null ;;
        esac
        [ "${installed:-no}" = yes ] && exit 0
    fi
fi

echo "Some tests need programs that are not on the PATH, and will fail: install them (Debian: apt install$missing)." >&2
exit 0
