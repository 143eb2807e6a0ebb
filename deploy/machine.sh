#!/bin/sh
# What the build needs from the machine. Debian and Ubuntu: apt-get (with sudo when not root); macOS: Homebrew.
#   machine.sh packages       install what running zero needs and the machine lacks
#   machine.sh test-packages  the same for the sanitizer and fuzz builds of the native tests, and the clients that tests use
#   machine.sh bench-packages the load generators of zero bench
#   machine.sh python         print the interpreter to build with: 3.11 or newer, with venv and headers
set -eu

fits() { # $1: an interpreter
  command -v "$1" >/dev/null 2>&1 && "$1" - >/dev/null 2>&1 <<'PYTHON'
import ensurepip, os, sys, sysconfig, venv
assert sys.version_info >= (3, 11)
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
PYTHON
}

find_python() {
  for candidate in python3.11 python3.12 python3.13 python3 /usr/bin/python3 python3.14; do
    if fits "$candidate"; then command -v "$candidate"; return 0; fi
  done
  return 1
}

has_header() { echo "#include <$1>" | c++ -std=c++20 -x c++ -fsyntax-only $(brew_include) - >/dev/null 2>&1; }

has_browser() {
  for browser in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$browser" >/dev/null 2>&1; then return 0; fi
  done
  test -d /Applications/Chromium.app || test -d "/Applications/Google Chrome.app"
}

brew_include() { if command -v brew >/dev/null 2>&1; then echo "-I$(brew --prefix)/include"; fi; }

install() { # $1: Debian packages, $2: Homebrew packages
  if [ -z "$1$2" ]; then return 0; fi
  if command -v apt-get >/dev/null 2>&1; then
    sudo=""
    if [ "$(id -u)" != 0 ]; then sudo="sudo"; fi
    echo "machine: apt-get install$1"
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1 </dev/null >/dev/null
  elif command -v brew >/dev/null 2>&1; then
    echo "machine: brew install$2"
    brew install $2
  else
    echo "machine: neither apt-get nor brew here; please install:$1 (Debian names)" >&2
    return 1
  fi
}

# promtool alone, without the server of its package, which would begin to listen.
install_promtool() {
  sudo=""
  if [ "$(id -u)" != 0 ]; then sudo="sudo"; fi
  folder="$(mktemp -d)"
  echo "machine: promtool, of the package prometheus"
  $sudo apt-get update -qq
  (cd "$folder" && apt-get download -qq prometheus >/dev/null 2>&1 \
    && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool \
    && $sudo cp usr/bin/promtool /usr/local/bin/promtool) \
    || echo "machine: promtool is not to be had; the tests of the alerts are left out"
  rm -rf "$folder"
}

case "${1:-}" in
  packages)
    debian="" brew=""
    command -v c++ >/dev/null 2>&1 || debian="$debian g++"
    find_python >/dev/null || { debian="$debian python3-venv python3-dev"; brew="$brew python@3.12"; }
    has_header simdjson.h || { debian="$debian libsimdjson-dev"; brew="$brew simdjson"; }
    has_header protozero/pbf_reader.hpp || { debian="$debian libprotozero-dev"; brew="$brew protozero"; }
    install "$debian" "$brew"
    find_python >/dev/null || { echo "machine: no Python 3.11 or newer with venv and headers was found" >&2; exit 1; }
    ;;
  test-packages)
    if command -v apt-get >/dev/null 2>&1; then
      debian=""
      for package in clang-14 libclang-rt-14-dev curl wrk nghttp2-client redis-tools nftables iproute2 spin strace \
          postgresql libzookeeper-java default-jre-headless rsyslog rsyslog-gnutls rsyslog-elasticsearch bsdutils; do
        dpkg -s "$package" >/dev/null 2>&1 || debian="$debian $package"
      done
      if [ "$(. /etc/os-release && echo "$ID")" = ubuntu ]; then # its package is a snap, which containers cannot run
        has_browser || echo "machine: the tests of the page are left out without Chromium or Chrome"
      else
        has_browser || debian="$debian chromium"
      fi
      install "$debian" ""
      command -v promtool >/dev/null 2>&1 || install_promtool
    else
      has_browser || echo "machine: the tests of the page are left out without a browser: brew install --cask chromium"
    fi
    ;;
  bench-packages)
    debian="" brew=""
    command -v wrk >/dev/null 2>&1 || { debian="$debian wrk"; brew="$brew wrk"; }
    command -v h2load >/dev/null 2>&1 || { debian="$debian nghttp2-client"; brew="$brew nghttp2"; }
    install "$debian" "$brew"
    ;;
  python) find_python ;;
  *) sed -n '2,6p' "$0" >&2; exit 2 ;;
esac
