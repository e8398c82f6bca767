#!/bin/sh
# Installs the programs, manual pages and completions of this archive: ./install.sh [--remove] [PREFIX].
# The default for PREFIX is ~/.local, or /usr/local for root. --remove removes what it installed, and nothing else.
set -eu

remove=
[ "${1-}" != --remove ] || { remove=1; shift; }
if [ "$(id -u)" = 0 ]; then prefix=/usr/local; else prefix=$HOME/.local; fi
prefix=${1-$prefix}
list=$prefix/share/sentry-credential/installed

# Files by their paths; a directory that was made has a slash behind it, and stands behind what is in it.
if [ -e "$list" ]; then
    while IFS= read -r path; do
        case $path in
            */) rmdir "$prefix/$path" 2>/dev/null || : ;;
            *) rm -f "$prefix/$path" ;;
        esac
    done <"$list"
elif [ -n "$remove" ]; then
    echo "install.sh: nothing is installed in $prefix" >&2
    exit 1
fi
[ -z "$remove" ] || exit 0

cd -- "$(dirname -- "$0")"
made=
# make DIR: makes it and those above it.
make() {
    [ ! -d "$prefix/$1" ] || return 0
    case $1 in */*) make "${1%/*}" ;; esac
    mkdir "$prefix/$1"
    made="$1/
$made"
}
mkdir -p "$prefix"
make share/sentry-credential
find bin share -type f >"$list.new"
while IFS= read -r path; do
    make "${path%/*}"
    # A program that runs is replaced, not written to.
    cp -p "$path" "$prefix/$path.new"
    mv -f "$prefix/$path.new" "$prefix/$path"
done <"$list.new"
{ echo share/sentry-credential/installed; printf %s "$made"; } >>"$list.new"
mv -f "$list.new" "$list"
case :$PATH: in
    *:"$prefix/bin":*) ;;
    *) echo "hint: PATH=\"$prefix/bin:\$PATH\"" ;;
esac
