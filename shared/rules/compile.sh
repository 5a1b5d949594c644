#!/bin/sh
# Makes libcompiled.so of compiled.c, beside it. Needs a C compiler and nothing else, not even its
# headers. What it may not do: fuse a multiplication with an addition, or assume that nothing is NaN;
# a value would then differ from processor to processor, and from TA-Lib's. The library names what it
# was made of: compiled.py refuses an older one, install.sh replaces it.
set -eu
cd "$(dirname "$0")"
source=$(cat compiled.c compile.sh | sha256sum | cut -c 1-32)
cc -std=c11 -O3 -Wall -Wextra -Werror -ffreestanding -ffp-contract=off -fno-trapping-math \
  -fno-math-errno -DMADE_OF="\"$source\"" -shared -fPIC -nostdlib \
  -o libcompiled.so.new compiled.c -lgcc
mv libcompiled.so.new libcompiled.so
