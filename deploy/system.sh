#!/bin/sh
# Lays out the system of the images: Debian's Python, what it links to, the certificates of the web,
# a user. No shell, no package manager.   deploy/system.sh FOLDER
# The packages are installed already; their files are copied as Debian ships them.
set -eu
root=$1
# libexpat1 to libcrypt1: modules of the standard library; libstdc++6: numpy.
packages="libc6 libgcc-s1 libstdc++6 zlib1g libssl3 libexpat1 libffi8 libbz2-1.0 liblzma5 libuuid1
  libcrypt1 python3.11-minimal libpython3.11-minimal libpython3.11-stdlib"
# In a pipe, below, nobody would notice that one is not there.
dpkg-query --show $packages >/dev/null

mkdir -p "$root/usr/lib" "$root/usr/lib64" "$root/usr/bin" "$root/usr/sbin" "$root/etc/ssl/certs" \
  "$root/var/lib/dpkg/status.d"
for folder in lib lib64 bin sbin; do ln -s "usr/$folder" "$root/$folder"; done
mkdir -m 1777 "$root/tmp"

for package in $packages; do
  # What is installed, in the place where scanners of images look for it.
  dpkg-query --status "$package" >"$root/var/lib/dpkg/status.d/$package"
  dpkg-query --listfiles "$package"
done | while read -r file; do
  case $file in
    */copyright) ;;
    # What a person reads, and character sets that nobody converts.
    /usr/share/doc/* | /usr/share/man/* | /usr/share/lintian/* | */gconv/*) continue ;;
    # Modules whose libraries are not here; what builds and tests.
    */lib-dynload/_dbm.* | */lib-dynload/_curses* | */lib-dynload/_sqlite3.*) continue ;;
    */lib-dynload/nis.* | */lib-dynload/readline.*) continue ;;
    */distutils/* | */lib2to3/* | */pydoc_data/* | */idlelib/* | */python3.11/test/*) continue ;;
  esac
  if [ -h "$file" ] || [ -f "$file" ]; then echo "${file#/}"; fi
done | tar --create --no-recursion --directory=/ --files-from=- | tar --extract --directory="$root"

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'closebell:x:10001:10001::/app:/none' >"$root/etc/passwd"
echo 'closebell:x:10001:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
# Else every start would compile it anew: nobody may write here.
/usr/bin/python3.11 -m compileall -q --invalidation-mode unchecked-hash \
  -s "$root" -p / "$root/usr/lib/python3.11"
